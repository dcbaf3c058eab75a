"""Claims that tested the validators, as anybody may show them."""

from __future__ import annotations

from eth_hash.auto import keccak

from ledger.assets import Kudos
from ledger.types import Digest
from tests.integration.ledger_model.state import Refused, words
from tests.integration.ledger_model.verdicts import Standing, Verdicts

TYPE = keccak(b"ValidatorTest(bytes32 requestId,bytes32 salt)")


class OpenedTests:
    """Only says what claims were."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.verdicts, self.world = verdicts, verdicts.world

    def show(self, request_id: Digest, result_id: Digest, seal_salt: Digest, salt: Digest) -> None:
        answer = stands_for(request_id, salt)
        kudos_id = self.world.id(Kudos(3, result_id, answer, seal_salt))
        claim = self.verdicts.claims.get(kudos_id)
        if claim is None:
            raise Refused("NotATest", kudos_id)
        waits = claim.standing == Standing.OPEN and not self.verdicts.has_timed_out(kudos_id)
        now, then = map(self.verdicts.round_of, (self.world.time, claim.opened_at))
        if waits or now < then + 3:
            raise Refused("TestTooEarly", kudos_id)
        self.world.emit("TestOpened", kudos_id, result_id, request_id, seal_salt, salt)


def stands_for(request_id: Digest, salt: Digest) -> Digest:
    """What is sealed in place of a result's digest."""
    return Digest(words(TYPE, request_id, salt))
