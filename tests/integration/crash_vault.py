"""A home that is killed -9 at its first, second, third ... write to its vault, or word to its host.

    python -m tests.integration.crash_vault DIRECTORY

Each round sends a request that is a canary and one that is none, and starts the home's ``Opener``;
it kills itself before, within or after its n-th transaction, or around the delivery. Then one
starts that does not. It ends with the first n that a home survives, and prints what to check as
JSON. What leaves the home is a line in ``left.jsonl``, synced, as if at a host. A process of its
own, so that it can fork without threads.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from canaries.commitment import ORDINARY, PLANTED, Mark
from canaries.vault import Sealed, Vault, VaultError
from ledger.eip712 import Domain
from ledger.reader import Reader
from ledger.types import Address, Digest
from node import wire
from node.connection import Connection
from node.handshake import Credentials
from node.openings import Opener
from tests.integration.chain_world import key_of
from tests.integration.crash_settler import Fuse, in_child

MOST_POINTS = 100
HOST = Address(b"\x02" * 20)
RESULTS = 2
"""What the ledger calls the RESULT of a request in each life; a second opening would name it."""


class FusedVault(Vault):
    """Its fuse burns at the start of each transaction, before its end, and after it."""

    fuse: Fuse

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.fuse.point()
        with super()._transaction() as db:
            self.fuse.point()
            yield db
            self.fuse.point()
        self.fuse.point()


class Host:
    """The other end of the wire: what comes here has left the home, whatever becomes of that."""

    is_open, peer = True, HOST

    def __init__(self, directory: Path, fuse: Fuse) -> None:
        self._path, self._fuse = directory / "left.jsonl", fuse

    def note(self, what: str, **values: Any) -> None:
        self._fuse.point()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **values}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._fuse.point()

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        assert isinstance(message, wire.Open)
        opened = message.opened
        self.note(
            "opening",
            request=opened.request_id.hex(),
            words=[opened.result_id.hex(), opened.salt.hex(), opened.signed_at],
            signature=message.signature.hex(),
        )
        return wire.Ack()


class Ledger:
    """All requests that have left, settled; each life of the home is told another RESULT, as after
    a reorganisation, and has another time."""

    def __init__(self, requests: list[bytes], life: int) -> None:
        self._requests, self._life = requests, life

    def head(self) -> Any:
        return SimpleNamespace(final_number=1)

    def results(self, home: Address, since: int) -> list[Any]:
        place, result = SimpleNamespace(block=1), Digest(self._life.to_bytes(32, "big"))
        return [
            SimpleNamespace(place=place, request_id=Digest(request), result_id=result)
            for request in self._requests
        ]


class LifeClock:
    def __init__(self, life: int) -> None:
        self._life = life

    def now(self) -> float:
        return 1_800_000_000.0 + self._life

    def monotonic(self) -> float:
        return self.now()


def mark_of(number: int) -> Mark:
    planted = number % 2
    field = b"\x01" * 32 if planted else bytes(32)
    return Mark(PLANTED if planted else ORDINARY, field, field, number.to_bytes(32, "big"))


def live(directory: Path, life: int, points: int) -> None:
    """One life of the home: two requests, then openings until none waits."""
    fuse = Fuse(points)
    host = Host(directory, fuse)
    with closing(FusedVault(directory / "vault.db")) as vault:
        vault.fuse = fuse
        fuse.armed = True
        for number in (2 * life, 2 * life + 1):
            request = number.to_bytes(32, "big")
            # A life that is led again finds the marks that the first has made.
            with suppress(VaultError):
                vault.put(Sealed(request, HOST, b"\x03" * 32, mark_of(number)))
            host.note("request", request=request.hex(), planted=bool(number % 2))
        asyncio.run(open_all(directory, vault, host, life))
        fuse.armed = False


async def open_all(directory: Path, vault: Vault, host: Host, life: int) -> None:
    requests = [bytes.fromhex(line["request"]) for line in left(directory, "request")]
    me = Credentials(
        key_of("home"), Domain(31_337, Address(b"\xaa" * 20)), LifeClock(life), os.urandom
    )
    ledger = cast("Reader", Ledger(requests, life))
    opener = Opener(me, vault, ledger, lambda peer: cast("Connection", host))
    opener.open_settled()
    await opener.deliver_due()


def left(directory: Path, what: str) -> list[dict[str, Any]]:
    path = directory / "left.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line for line in map(json.loads, lines) if line["what"] == what]


def modes(directory: Path) -> list[str]:
    """Who may do what with the vault's files, as they lie there after a kill."""
    return sorted({oct(file.stat().st_mode & 0o777) for file in directory.glob("vault.db*")})


def main(directory: Path) -> None:
    seen: list[str] = []
    rounds, ended_by = 0, -1
    for points in range(1, MOST_POINTS):
        life = 2 * points
        ended_by = in_child(lambda life=life, points=points: live(directory, life, points))  # type: ignore[misc]
        seen += modes(directory)
        in_child(lambda life=life: live(directory, life + 1, 0))  # type: ignore[misc]
        rounds += 1
        if ended_by == 0:
            break
    print(json.dumps({"rounds": rounds, "survived": ended_by == 0, "modes": sorted(set(seen))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
