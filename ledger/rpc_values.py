"""JSON-RPC values to typed ones. Pure; a value that is not what it should be is a ChainError."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.types import Address, BlockHash, BlockNumber, Digest, TxHash, UnixSeconds, hex_of

_T = TypeVar("_T")

# int() and bytes.fromhex() would also take signs, spaces and underscores.
_QUANTITY = re.compile("0x[0-9a-fA-F]{1,64}")
_DATA = re.compile("0x(?:[0-9a-fA-F]{2})*")


BlockId = int | bytes | str
"""A number, a hash, or one of the tags "latest", "pending", "finalized", "safe", "earliest"."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the ledger needs of a block header."""

    number: BlockNumber
    hash: BlockHash
    parent: BlockHash
    timestamp: UnixSeconds


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction: ``status`` 1 when it took effect, 0 when it was undone."""

    tx_hash: TxHash
    status: int
    block_number: BlockNumber
    block_hash: BlockHash
    gas_used: int
    contract: Address | None
    """The contract that it created, if any."""
    logs: tuple[RawLog, ...]


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction sent now should offer, in wei per gas (EIP-1559)."""

    max_fee: int
    priority: int


class Refused(ChainError):
    """The endpoint answered a request with a JSON-RPC error; ``code`` and ``data`` are its own."""

    def __init__(self, message: str, *, code: int, data: bytes, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.data = data


def mask_url(url: str) -> str:
    """An endpoint's URL for people; user, password, path and query may all be secrets."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "?", parts.port
    except ValueError:
        return "(an unreadable URL)"
    shown = f"[{host}]" if ":" in host else host
    hidden = "/…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{hidden}"


def distrust(what: str) -> ChainError:
    """The error for an answer that cannot be true."""
    return ChainError(
        what + ".", hint="Do not trust this endpoint with the ledger; use another one."
    )


def quantity(value: Any) -> int:
    """An unsigned number, at most 256 bits."""
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise distrust("something that is no number")


def data(value: Any) -> bytes:
    """Bytes of any length."""
    if isinstance(value, str) and _DATA.fullmatch(value):
        return bytes.fromhex(value[2:])
    raise distrust("something that is no byte string")


def lenient_data(value: Any) -> bytes:
    """The bytes in an error's data field, which every client fills as it likes."""
    try:
        return data(value)
    except ChainError:
        return b""


def word(value: Any) -> bytes:
    """32 bytes."""
    return _sized(value, 32)


def address(value: Any) -> Address:
    return Address(_sized(value, 20))


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise distrust("something that is no object")
    return value


def optional(parse: Callable[[Any], _T]) -> Callable[[Any], _T | None]:
    """The same reader, for answers that may be null."""
    return lambda value: None if value is None else parse(value)


def header(value: Any) -> Header:
    fields = mapping(value)
    return Header(
        BlockNumber(quantity(fields.get("number"))),
        BlockHash(word(fields.get("hash"))),
        BlockHash(word(fields.get("parentHash"))),
        UnixSeconds(quantity(fields.get("timestamp"))),
    )


def base_fee(value: Any) -> int:
    """The base fee in a block; ChainError for a chain from before EIP-1559."""
    return quantity(mapping(value).get("baseFeePerGas"))


def log(value: Any) -> RawLog:
    fields = mapping(value)
    topics = fields.get("topics")
    if not isinstance(topics, list) or len(topics) > 4:
        raise distrust("a log whose topics are no list of at most four")
    if fields.get("removed"):
        raise distrust("a log that it calls removed")
    return RawLog(
        address(fields.get("address")),
        tuple(Digest(word(topic)) for topic in topics),
        data(fields.get("data")),
        BlockNumber(quantity(fields.get("blockNumber"))),
        BlockHash(word(fields.get("blockHash"))),
        TxHash(word(fields.get("transactionHash"))),
        quantity(fields.get("logIndex")),
    )


def logs(value: Any) -> list[RawLog]:
    if not isinstance(value, list):
        raise distrust("something that is no list of logs")
    return [log(item) for item in value]


def checked_logs(
    found: list[RawLog], contracts: Collection[Address], belongs: Callable[[RawLog], bool]
) -> list[RawLog]:
    """The logs, once it is certain that they are the ones asked for, each once and in order."""
    if any(entry.address not in contracts or not belongs(entry) for entry in found):
        raise distrust("a log that was not asked for")
    places = [(entry.block_number, entry.log_index) for entry in found]
    if any(after <= before for before, after in pairwise(places)):
        raise distrust("logs that are repeated or out of order")
    return found


def receipt(value: Any) -> Receipt:
    fields = mapping(value)
    status = quantity(fields.get("status"))
    if status > 1:
        raise distrust("a receipt that neither succeeded nor failed")
    return Receipt(
        TxHash(word(fields.get("transactionHash"))),
        status,
        BlockNumber(quantity(fields.get("blockNumber"))),
        BlockHash(word(fields.get("blockHash"))),
        quantity(fields.get("gasUsed")),
        optional(address)(fields.get("contractAddress")),
        tuple(logs(fields.get("logs"))),
    )


def _sized(value: Any, size: int) -> bytes:
    raw = data(value)
    if len(raw) != size:
        raise distrust(f"{len(raw)} bytes where {size} belong")
    return raw


def refusal(name: str, method: str, error: Any) -> Refused:
    fields = error if isinstance(error, dict) else {}
    code, text, data = (
        fields.get("code"),
        str(fields.get("message", error))[:300],
        fields.get("data"),
    )
    return Refused(
        f"{name} refused {method}: {text}.",
        code=code if isinstance(code, int) else 0,
        data=lenient_data(data),
        hint="The request does not suit this chain; see the endpoint's log.",
    )


def header_call(block: BlockId) -> tuple[str, list[Any]]:
    by_hash = isinstance(block, bytes)
    return f"eth_getBlockBy{'Hash' if by_hash else 'Number'}", [block_field(block), False]


def as_asked(block: BlockId, found: Header | None) -> Header | None:
    if found is None or isinstance(block, str):
        return found
    if block != (found.number if isinstance(block, int) else found.hash):
        raise distrust("the header of another block")
    return found


def block_field(block: BlockId) -> str:
    if isinstance(block, bytes):
        return hex_of(block)
    return hex(block) if isinstance(block, int) else block


def message_field(
    to: Address | None, data: bytes, sender: Address | None, value: int
) -> dict[str, str]:
    message = {"data": hex_of(data)}
    if to is not None:
        message["to"] = hex_of(to)
    if sender is not None:
        message["from"] = hex_of(sender)
    if value:
        message["value"] = hex(value)
    return message
