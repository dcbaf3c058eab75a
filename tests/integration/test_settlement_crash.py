"""kill -9 at every single exchange of a settlement: nothing lost, nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ledger.contracts import contracts_of
from ledger.eip712 import digest
from ledger.event_types import BatchSettled, CanariesClaimed
from ledger.events import decode
from ledger.packed_claims import decode_claimed
from ledger.record import decode_batch
from tests.integration.chain_world import World


def test_a_settler_killed_anywhere_settles_everything_exactly_once(
    world: World, project: Path
) -> None:
    world.outbox.close()
    world.deployment.save(world.directory / "ledger.json")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.crash_settler", world.directory, world.chain.url],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["survived"] and told["rounds"] > 20, "every point of a settlement was tried"

    settled: list[str] = []
    claims: list[tuple[bytes, int]] = []
    head = world.rpc.block_number()
    for log in world.rpc.logs(contracts_of(world.deployment.contract).all, 0, head):
        event = decode(log)
        if isinstance(event, CanariesClaimed):
            claims += [(claim.home, claim.seq) for claim in decode_claimed(event.claims)]
        elif isinstance(event, BatchSettled):
            gone = {place for place, _ in event.skipped}
            records = decode_batch(world.domain, event.host, event.batch)
            settled += [
                digest(world.domain, record.request).hex()
                for place, record in enumerate(records)
                if place not in gone
            ]
    assert sorted(settled) == sorted(told["requests"])
    assert len(claims) == len(set(claims)) == told["rounds"]
