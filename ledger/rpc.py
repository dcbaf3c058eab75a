"""The one module that speaks JSON-RPC. Nothing that the endpoint says is taken on trust.

Ids, types, lengths and ranges are checked here; that blocks are linked is the indexer's business.
An ``Rpc`` may be shared by threads: it has one connection, and a lock lets one request through at a
time; who wants calls to run in parallel opens a second one. A request is never repeated: after a
transport failure only the caller knows whether repeating it is harmless.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from ledger import rpc_values as read
from ledger.abi import revert_error
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.rpc_values import BlockId, Fees, Header, Receipt, Refused, mask_url
from ledger.types import Address, BlockHash, BlockNumber, TxHash, hex_of

__all__ = ["BlockId", "Fees", "Header", "Receipt", "Refused", "Rpc", "mask_url"]

_REVERTED = 3
_BATCH = 100
_CHUNK = 1 << 16
_LARGEST_ANSWER = 1 << 28
_T = TypeVar("_T")
_Call = tuple[str, list[Any]]


class _BoundedSession(requests.Session):
    """Bounds a whole answer in time and size; the library's timeout starts anew with every byte."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        deadline = time.monotonic() + self._timeout
        response = super().post(*args, **{**kwargs, "stream": True, "timeout": self._timeout})
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                response.close()
                raise requests.Timeout
            if len(body) > _LARGEST_ANSWER:
                response.close()
                raise ValueError("an answer of this size was not asked for")
        # Where the library itself leaves an answer that was read.
        response._content = bytes(body)
        return response


class _Transport(HTTPProvider):
    # web3 logs the whole URL at debug level, and with it whatever secret is in its path.
    logger = logging.Logger("ledger.rpc.transport", level=logging.WARNING)


class Rpc:
    """A typed, distrustful view of one JSON-RPC endpoint over HTTP."""

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self.name = mask_url(url)
        if not self.name.startswith(("http://", "https://")):
            raise ChainError(
                f"{self.name} is not an endpoint that can be used.",
                hint="Give an address that starts with http:// or https://.",
            )
        self._timeout = timeout
        self._lock = threading.Lock()
        self._next_id = 1
        self._session = _BoundedSession(timeout)
        # A proxy from the environment must not stand between us and a chain on this machine.
        self._session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
        self._transport = _Transport(
            url,
            request_kwargs={"allow_redirects": False},
            session=self._session,
            exception_retry_configuration=None,
        )

    def __repr__(self) -> str:
        return f"<Rpc {self.name}>"

    def close(self) -> None:
        """Closes the connection; a later call opens a new one."""
        self._session.close()

    # -- the chain -----------------------------------------------------------------------------

    def chain_id(self) -> int:
        return self._ask("eth_chainId", [], read.quantity)

    def block_number(self) -> BlockNumber:
        return BlockNumber(self._ask("eth_blockNumber", [], read.quantity))

    def header(self, block: BlockId) -> Header | None:
        """The header of a block; None when the chain has no such block."""
        found = self._ask(*read.header_call(block), read.optional(read.header))
        return read.as_asked(block, found)

    def headers(self, numbers: Sequence[int]) -> list[Header | None]:
        """The headers of these blocks, in order, a hundred per round trip."""
        found = self._ask_many(
            [read.header_call(number) for number in numbers], read.optional(read.header)
        )
        return [read.as_asked(*pair) for pair in zip(numbers, found, strict=True)]

    def logs(self, contracts: Sequence[Address], from_block: int, to_block: int) -> list[RawLog]:
        """All logs of these contracts in a range of blocks, both ends included, in their order."""
        wanted = {
            "address": [hex_of(contract) for contract in contracts],
            "fromBlock": hex(from_block),
            "toBlock": hex(to_block),
        }
        logs = self._ask("eth_getLogs", [wanted], read.logs)
        return read.checked_logs(
            logs, contracts, lambda log: from_block <= log.block_number <= to_block
        )

    def logs_of_block(self, contracts: Sequence[Address], block_hash: BlockHash) -> list[RawLog]:
        """All logs of these contracts in just this block; ChainError when the chain dropped it."""
        return self.logs_of_blocks(contracts, [block_hash])[0]

    def logs_of_blocks(
        self, contracts: Sequence[Address], block_hashes: Sequence[BlockHash]
    ) -> list[list[RawLog]]:
        """The same for several blocks, a hundred per round trip."""
        addresses = [hex_of(contract) for contract in contracts]
        asked: list[_Call] = [
            ("eth_getLogs", [{"address": addresses, "blockHash": hex_of(block)}])
            for block in block_hashes
        ]
        return [
            read.checked_logs(logs, contracts, lambda log, block=block: log.block_hash == block)  # type: ignore[misc]
            for block, logs in zip(block_hashes, self._ask_many(asked, read.logs), strict=True)
        ]

    # -- accounts and contracts ----------------------------------------------------------------

    def code(self, address: Address, block: BlockId = "latest") -> bytes:
        return self._ask("eth_getCode", [hex_of(address), read.block_field(block)], read.data)

    def balance(self, address: Address, block: BlockId = "latest") -> int:
        return self._ask(
            "eth_getBalance", [hex_of(address), read.block_field(block)], read.quantity
        )

    def nonce(self, address: Address, block: BlockId = "pending") -> int:
        return self._ask(
            "eth_getTransactionCount", [hex_of(address), read.block_field(block)], read.quantity
        )

    def call(
        self, to: Address, data: bytes, block: BlockId = "latest", *, sender: Address | None = None
    ) -> bytes:
        """Runs a call without a transaction; ``ContractReverted`` when it is refused."""
        message = read.message_field(to, data, sender, 0)
        return self._run("eth_call", [message, read.block_field(block)], read.data)

    def estimate_gas(
        self, to: Address | None, data: bytes, *, sender: Address, value: int = 0
    ) -> int:
        """The gas that a transaction would use now; ``ContractReverted`` when refused."""
        message = read.message_field(to, data, sender, value)
        return self._run("eth_estimateGas", [message, "latest"], read.quantity)

    def fees(self) -> Fees:
        """Twice the current base fee, which covers six full blocks in a row, and the usual tip."""
        base = self._ask("eth_getBlockByNumber", ["latest", False], read.base_fee)
        priority = self._ask("eth_maxPriorityFeePerGas", [], read.quantity)
        return Fees(2 * base + priority, priority)

    # -- transactions --------------------------------------------------------------------------

    def send_raw(self, raw: bytes) -> TxHash:
        """Hands over a signed transaction, once."""
        return TxHash(self._ask("eth_sendRawTransaction", [hex_of(raw)], read.word))

    def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """The receipt; None while the transaction is not in a block."""
        found = self._ask(
            "eth_getTransactionReceipt", [hex_of(tx_hash)], read.optional(read.receipt)
        )
        if found is not None and found.tx_hash != tx_hash:
            raise read.distrust("a receipt of another transaction")
        return found

    def knows(self, tx_hash: TxHash) -> bool:
        """Whether the transaction is in a block or waits for one."""
        found = self._ask(
            "eth_getTransactionByHash", [hex_of(tx_hash)], read.optional(read.mapping)
        )
        return found is not None

    def raw(self, method: str, params: list[Any]) -> Any:
        """Any other method, answered as it comes; for the embedded chain's own ones."""
        return self._ask(method, params, lambda value: value)

    # -- plumbing ------------------------------------------------------------------------------

    def _run(self, method: str, params: list[Any], parse: Callable[[Any], _T]) -> _T:
        try:
            return self._ask(method, params, parse)
        except Refused as error:
            if error.data or error.code == _REVERTED:
                raise revert_error(error.data) from error
            raise

    def _ask(self, method: str, params: list[Any], parse: Callable[[Any], _T]) -> _T:
        with self._lock:
            first = self._begin(1)
            answer = self._exchange(self._transport.make_request, RPCEndpoint(method), params)
        return self._result(method, answer, first, parse)

    def _ask_many(self, asked: Sequence[_Call], parse: Callable[[Any], _T]) -> list[_T]:
        results: list[_T] = []
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]
            batch = [(RPCEndpoint(method), params) for method, params in part]
            with self._lock:
                first = self._begin(len(part))
                answers = self._exchange(self._transport.make_batch_request, batch)
            if isinstance(answers, dict):
                self._result("a batch of requests", answers, None, parse)
            if not isinstance(answers, list) or len(answers) != len(part):
                raise read.distrust(
                    f"an answer that does not fit {len(part)} requests in one batch"
                )
            for offset, ((method, _), answer) in enumerate(zip(part, answers, strict=True)):
                results.append(self._result(method, answer, first + offset, parse))
        return results

    def _begin(self, count: int) -> int:
        """Fixes the ids of the next requests, so that the answers can be told apart."""
        first, self._next_id = self._next_id, self._next_id + count
        self._transport.request_counter = itertools.count(first)
        return first

    def _exchange(self, send: Callable[..., Any], *arguments: Any) -> Any:
        # "from None" throughout: the messages of requests quote the URL with its secrets.
        try:
            return send(*arguments)
        except requests.Timeout:
            raise self._unreachable(f"did not answer within {self._timeout:g} s") from None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "?"
            raise self._unreachable(f"answered with HTTP status {status}") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._unreachable(f"cannot be reached ({type(error).__name__})") from None
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeWarning):
            raise self._unreachable("did not answer in JSON-RPC") from None

    def _unreachable(self, what: str) -> ChainError:
        return ChainError(
            f"The chain at {self.name} {what}.",
            hint="Check that it runs and that --rpc names it; nothing was repeated or lost.",
        )

    def _result(
        self, method: str, answer: Any, expected: int | None, parse: Callable[[Any], _T]
    ) -> _T:
        if not isinstance(answer, dict):
            raise read.distrust("an answer that is no JSON-RPC object")
        if answer.get("error") is not None:
            raise read.refusal(self.name, method, answer["error"])
        if answer.get("id") != expected or "result" not in answer:
            raise read.distrust("an answer to another request")
        try:
            return parse(answer["result"])
        except ChainError as error:
            raise ChainError(
                f"{self.name} answered {method} with {error.message}", hint=error.hint
            ) from error
