"""K3 claims as the index gives them to a validator: made up from nothing but keys, so that a test
can let both parties lie about anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from canaries.commitment import PLANTED, Mark, seal
from canaries.family import field_of
from canaries.replay import parameters_for
from ledger.assets import Accepted, CanaryOpened, Confirmed, ConfirmedMigration, Result
from ledger.eip712 import digest
from ledger.rows import Draw, KudosRow, Opening, Place, SettledMigration, UnvotedCanary
from ledger.schema import CLAIMED
from ledger.types import Address, BlockNumber, Digest, TxHash, UnixSeconds
from node.handshake import Credentials
from node.task import TaskDescriptor, result_digest, task_digest
from tests.unit.node_world import DOMAIN, EXECUTION, NOW, TASK, TOOLCHAIN, make_request

ZERO = Digest(bytes(32))
KUDOS = Digest(b"\x0c" * 32)
SEAL_SALT = Digest(b"\x0e" * 32)
RIGHT = Digest(result_digest(EXECUTION.result()))
"""What a fresh run of the task gives."""
SETTLED = Place(BlockNumber(5), 0, TxHash(ZERO), UnixSeconds(NOW), True)


def planted(toolchain: str = TOOLCHAIN, family: str = "replay") -> Mark:
    return Mark(PLANTED, field_of(family), parameters_for(toolchain), b"\x02" * 32)


def make_claim(
    home: Credentials,
    host: Address,
    seq: int = 0,
    kudos: Digest = KUDOS,
    task: TaskDescriptor = TASK,
    mark: Mark | None = None,
    answer: Digest = RIGHT,
    changes: Mapping[str, Any] | None = None,
) -> UnvotedCanary:
    """Both parties did everything right, but for ``changes`` to the REQUEST and an answer that is
    the test's."""
    mark = mark or planted()
    request = replace(make_request(home, host, seq, task, mark), **(changes or {}))
    request_id = digest(DOMAIN, request)
    accepted = Accepted(request_id, request.signed_at)
    confirmed = Confirmed(digest(DOMAIN, accepted), request.signed_at)
    sealed = Digest(seal(answer, SEAL_SALT, host, request_id))
    result = Result(request_id, sealed, request.signed_at)
    signature = home.key.sign(DOMAIN, confirmed)
    migration = ConfirmedMigration(request, accepted, confirmed, result, signature)
    result_id = digest(DOMAIN, result)
    ids = (request_id, ZERO, ZERO, result_id, ZERO)
    opened = CanaryOpened(
        request_id,
        result_id,
        Digest(task_digest(task)),
        Digest(mark.family),
        Digest(mark.parameters),
        Digest(mark.salt),
        NOW,
    )
    parties = (host, home.key.address)
    answered = (answer, SEAL_SALT)
    row = KudosRow(
        *(kudos, 3, *parties, result_id, request_id, "planted", *answered),
        *(0, CLAIMED, None, 0, SETTLED, None),
    )
    opening = Opening(opened, home.key.sign(DOMAIN, opened), None, SETTLED)
    return UnvotedCanary(row, SettledMigration(migration, *ids, 0, SETTLED), opening, None)


def as_drawn(claim: UnvotedCanary) -> UnvotedCanary:
    """The same claim if the beacon had drawn the task: its mark stays shut."""
    assert claim.opening is not None
    opened = claim.opening.asset
    mark = Mark(PLANTED, opened.family, opened.parameters, opened.salt)
    draw = Draw(
        *(opened.request_id, opened.result_id, opened.task_digest), Digest(mark.hash), SETTLED
    )
    return replace(claim, opening=None, draw=draw, kudos=replace(claim.kudos, origin="drawn"))
