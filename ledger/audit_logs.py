"""The audit's own reading of logs, by the packaged ABIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from ledger.audit_assets import read_json
from ledger.contracts import Contracts
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.source import CallableChain
from ledger.types import BlockNumber

RANGE = 2_000
ARTIFACTS = {
    "ledger": "KudosLedger",
    "queue": "ValidatorQueue",
    "claims": "KudosClaims",
    "beacon": "Beacon",
}
"""By the contract's part in the ledger."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One decoded log: the event, its arguments by their names in the ABI, and where it stands."""

    event: str
    args: Mapping[str, Any]
    block: int
    log_index: int
    timestamp: int

    @property
    def where(self) -> str:
        return f"block {self.block}, log {self.log_index}"


def read_logs(
    rpc: CallableChain,
    contracts: Contracts,
    first: int,
    last: int,
    progress: Callable[[int, int], None],
) -> Iterator[Logged]:
    """Every log of the contracts in these blocks, decoded, in the order of the chain."""
    timestamps: dict[int, int] = {}
    place = (-1, -1)
    for start in range(first, last + 1, RANGE):
        end = min(last, start + RANGE - 1)
        logs = rpc.logs(contracts.all, BlockNumber(start), BlockNumber(end))
        for log in sorted(logs, key=lambda log: (log.block_number, log.log_index)):
            if (log.block_number, log.log_index) == place:
                raise ChainError(
                    f"Log {log.log_index} of block {log.block_number} came twice.",
                    hint="The endpoint returned damaged data: audit with another.",
                )
            place = (log.block_number, log.log_index)
            if log.block_number not in timestamps:
                timestamps[log.block_number] = _timestamp(rpc, log)
            yield decode_log(log, contracts.role(log.address), timestamps[log.block_number])
        progress(end - first + 1, last - first + 1)


def decode_log(log: RawLog, role: str | None, timestamp: int) -> Logged:
    """One log of the contract with this part; ChainError for one that its ABI does not know."""
    try:
        event, inputs = _events(ARTIFACTS[role or ""])[log.topics[0]]
        indexed = [entry for entry in inputs if entry["indexed"]]
        rest = [entry for entry in inputs if not entry["indexed"]]
        found = zip(rest, abi_decode([_type(entry) for entry in rest], log.data), strict=True)
        args = {entry["name"]: plain(value) for entry, value in found}
        for entry, topic in zip(indexed, log.topics[1:], strict=True):
            (value,) = abi_decode([_type(entry)], topic)
            args[entry["name"]] = plain(value)
    except (KeyError, IndexError, ValueError, OverflowError, DecodingError) as error:
        raise ChainError(
            f"Log {log.log_index} of block {log.block_number} is no known event: {error}.",
            hint="The contract is newer than this program, or the endpoint returned damaged data.",
        ) from error
    return Logged(event, args, log.block_number, log.log_index, timestamp)


def _timestamp(rpc: CallableChain, log: RawLog) -> int:
    header = rpc.header(log.block_number)
    if header is None or header.hash != log.block_hash:
        raise ChainError(
            f"Block {log.block_number} changed while it was audited.",
            hint="Audit again, or at a block that is final.",
        )
    return header.timestamp


@cache
def _events(artifact: str) -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    entries: list[dict[str, Any]] = read_json(f"artifacts/{artifact}.json")["abi"]
    return {
        keccak(text=f"{entry['name']}({','.join(map(_type, entry['inputs']))})"): (
            entry["name"],
            entry["inputs"],
        )
        for entry in entries
        if entry["type"] == "event"
    }


def _type(entry: Mapping[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_type, entry['components']))}){kind.removeprefix('tuple')}"


def plain(value: Any) -> Any:
    """Addresses as bytes, like everything else that is no number."""
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else value
