"""The JSON-RPC client against a real chain, and against endpoints that lie, stall and leak."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

import pytest

from ledger import calls
from ledger.abi import ContractReverted
from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.event_types import BatchSettled
from ledger.events import decode
from ledger.rpc import Refused, Rpc
from ledger.types import Address, BlockHash, Digest, TxHash
from tests.integration.chain_world import World

Answer = Callable[[Any], Any]
SOMEBODY = Address(b"\x11" * 20)


@contextmanager
def endpoint(
    answer: Answer, *, status: int = 200, delay: float = 0.0, piece: int = 0, pause: float = 0.0
) -> Iterator[str]:
    """An endpoint that says what it is told to say."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(delay)
            body = json.dumps(answer(asked)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):
                for start in range(0, len(body), piece or len(body)):
                    self.wfile.write(body[start : start + (piece or len(body))])
                    time.sleep(pause)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def result(value: Any) -> Answer:
    return lambda asked: {"jsonrpc": "2.0", "id": asked["id"], "result": value}


@contextmanager
def client(url: str, **options: float) -> Iterator[Rpc]:
    rpc = Rpc(url, **options)
    try:
        yield rpc
    finally:
        rpc.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (result("seven"), "no number"),
        (result(7), "no number"),
        (result("0x" + "f" * 65), "no number"),
        (lambda asked: {"jsonrpc": "2.0", "id": asked["id"] + 1, "result": "0x1"}, "another"),
        (lambda asked: {"jsonrpc": "2.0", "id": asked["id"]}, "another request"),
        (lambda asked: ["0x1"], "no JSON-RPC object"),
        (lambda asked: {"id": asked["id"], "error": {"code": -32601, "message": "no"}}, "refused"),
    ],
)
def test_an_answer_that_cannot_be_is_an_error(answer: Answer, says: str) -> None:
    with endpoint(answer) as url, client(url) as rpc, pytest.raises(ChainError, match=says):
        rpc.chain_id()


def test_what_was_not_asked_for_is_refused(world: World) -> None:
    header = world.rpc.raw("eth_getBlockByNumber", ["0x0", False])
    log = {
        "address": "0x" + "22" * 20,
        "topics": [],
        "data": "0x",
        "blockNumber": "0x1",
        "blockHash": "0x" + "00" * 32,
        "transactionHash": "0x" + "00" * 32,
        "logIndex": "0x0",
    }
    with endpoint(result(header)) as url, client(url) as rpc, pytest.raises(ChainError):
        rpc.header(1)
    with endpoint(result(header)) as url, client(url) as rpc, pytest.raises(ChainError):
        rpc.header(BlockHash(bytes(32)))
    with endpoint(result([log])) as url, client(url) as rpc, pytest.raises(ChainError):
        rpc.logs([SOMEBODY], 0, 5)
    log["address"] = "0x" + "11" * 20
    with endpoint(result([log, log])) as url, client(url) as rpc, pytest.raises(ChainError):
        rpc.logs([SOMEBODY], 0, 5)
    with endpoint(result([log])) as url, client(url) as rpc, pytest.raises(ChainError):
        rpc.logs([SOMEBODY], 2, 5)


def test_a_batch_with_an_answer_missing_is_refused() -> None:
    with (
        endpoint(lambda asked: [{"jsonrpc": "2.0", "id": asked[0]["id"], "result": None}]) as url,
        client(url) as rpc,
        pytest.raises(ChainError, match="does not fit"),
    ):
        rpc.headers([1, 2])


def test_an_endpoint_that_stalls_is_given_up() -> None:
    started = time.monotonic()
    with (
        endpoint(result("0x1"), delay=1.5) as url,
        client(url, timeout=0.2) as rpc,
        pytest.raises(ChainError, match=r"did not answer within 0\.2 s"),
    ):
        rpc.chain_id()
    assert time.monotonic() - started < 1.4


def test_an_endpoint_that_drips_is_given_up() -> None:
    started = time.monotonic()
    with (
        endpoint(result("0x" + "1" * 30), piece=1, pause=0.1) as url,
        client(url, timeout=0.3) as rpc,
        pytest.raises(ChainError, match="did not answer within"),
    ):
        rpc.chain_id()
    assert time.monotonic() - started < 2


def test_a_send_is_not_repeated() -> None:
    asked: list[str] = []

    def fail(request: Any) -> Any:
        asked.append(request["method"])
        return {}

    with endpoint(fail, status=503) as url, client(url) as rpc:
        with pytest.raises(ChainError, match="503"):
            rpc.send_raw(b"\x02")
        with pytest.raises(ChainError, match="503"):
            rpc.chain_id()
    assert asked == ["eth_sendRawTransaction", "eth_chainId"]


def test_no_message_shows_the_secrets_in_a_url() -> None:
    with client("http://me:geheim@127.0.0.1:9/v3/geheim?key=geheim") as rpc:
        with pytest.raises(ChainError) as caught:
            rpc.chain_id()
        shown = f"{caught.value} {caught.value!r} {rpc!r} {caught.value.__cause__}"
    assert "geheim" not in shown
    assert "http://127.0.0.1:9/…" in shown
    with pytest.raises(ChainError) as refused:
        Rpc("ftp://me:geheim@example.org/")
    assert "geheim" not in str(refused.value)


def test_a_real_chain_is_read(world: World) -> None:
    rpc, contract = world.rpc, world.deployment.contract
    world.chain.mine(3)
    head = rpc.block_number()
    headers = rpc.headers(range(head + 2))
    assert headers[-1] is None
    found = [header for header in headers if header is not None]
    assert [header.parent for header in found[1:]] == [header.hash for header in found[:-1]]
    assert rpc.header(found[2].hash) == found[2] == rpc.header(2)
    assert rpc.header(BlockHash(b"\x01" * 32)) is None
    assert rpc.receipt(TxHash(b"\x01" * 32)) is None
    assert rpc.knows(TxHash(b"\x01" * 32)) is False
    assert rpc.balance(SOMEBODY) == rpc.nonce(SOMEBODY) == 0
    assert rpc.logs([contract], 0, head) == rpc.logs([contract], 0, head - 3) != []
    with pytest.raises(Refused):
        rpc.logs_of_block([contract], BlockHash(b"\x01" * 32))
    with pytest.raises(Refused):
        rpc.raw("kudos_nothing", [])


def test_logs_of_blocks_are_those_of_the_range(world: World) -> None:
    for _ in range(3):
        world.outbox.append_migration(world.migration())
        assert world.step().settled == 1
    head = world.rpc.block_number()
    hashes = [header.hash for header in world.rpc.headers(range(head + 1)) if header is not None]
    parts = contracts_of(world.deployment.contract).all
    by_block = world.rpc.logs_of_blocks(parts, hashes)
    found = list(chain.from_iterable(by_block))
    assert found == world.rpc.logs(parts, 0, head)
    assert sum(isinstance(decode(log), BatchSettled) for log in found) == 3
    assert {log.address for log in found} > {world.deployment.contract}


def test_a_refusal_has_its_name_and_values(world: World) -> None:
    with pytest.raises(ContractReverted) as caught:
        world.rpc.call(
            world.deployment.contract,
            calls.vote([], [calls.StepVote(SOMEBODY, SOMEBODY, 1, Digest(bytes(32)), 128)]),
        )
    assert caught.value.error == "NotAValidator"
    vote = calls.vote([calls.BatchVote(SOMEBODY, Digest(b"\x07" * 32), 1, 0)], [])
    with pytest.raises(ContractReverted) as unknown:
        world.rpc.call(world.deployment.contract, vote, sender=world.validators[0].address)
    assert unknown.value.error == "UnknownBatch"
    assert unknown.value.values == ("0x" + "11" * 20, b"\x07" * 32)


def test_threads_may_share_a_client(world: World) -> None:
    wrong: list[object] = []

    def ask() -> None:
        for number in (0, 1):
            for _ in range(25):
                header = world.rpc.header(number)
                if header is None or header.number != number:
                    wrong.append(header)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
