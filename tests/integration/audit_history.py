"""A ledger on a real chain in whose history every kind of event happens at least once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_hash.auto import keccak

from ledger import calls, claim_calls
from ledger.abi import CLAIMS, decode_result, encode
from ledger.assets import (
    CanaryOpened,
    ConfirmedMigration,
    Migration,
    RejectedMigration,
)
from ledger.claim_calls import ClaimVote
from ledger.contracts import creation_address
from ledger.eip712 import digest
from ledger.keys import Key
from ledger.packed_claims import (
    DrawnOpening,
    HomesWords,
    PuzzleOpening,
)
from ledger.puzzle_result import result_digest_of
from ledger.reasons import Reason
from ledger.types import Digest, Signature
from tests.integration.audit_people import (
    CONSTANTS,
    NOTHING,
    REPLAY,
    Made,
    People,
    Placed,
    place_of,
    planted_of,
    typed_digest,
    values_of,
)
from tests.integration.strict_calls import submission

DAY = 86_400
WEEK = 7 * DAY
FACTOR = b"factor".ljust(32, b"\0")


class History(People):
    """What happens, chapter by chapter."""

    def live(self) -> None:
        """All of it."""
        self.commit_secrets()
        self.puzzle = self.made(
            *(self.home, self.host),
            family=FACTOR,
            parameters=(15).to_bytes(32, "big"),
            answer=result_digest_of(Digest((3).to_bytes(32, "big"))),
        )
        self.planted, self.drawn = (self.made(self.home, self.host) for _ in range(2))
        self.forgotten = self.made(self.home, self.host)
        self.settle_batches()
        self.go_the_strict_way()
        self.claim_canaries()
        self.ask_a_puzzle()
        self.reveal_secrets()
        self.claim_drawn()
        self.test_validators()
        self.receipt()
        self.change_the_set()
        self.claim_again()
        self.take_a_place_again()
        self.register_and_withdraw()
        self.close()

    def settle_batches(self) -> None:
        host, home = self.host, self.home
        forged = replace(self.made(home, host).migration, home_signature=Signature(bytes(64)))
        party = self.made(self.validators[0], host).migration
        canaries = [each.migration for each in (self.puzzle, self.planted, self.drawn)]
        canaries.append(self.forgotten.migration)
        answers = [self.refused(home, host) for _ in range(2)]
        self.batch = self.settle(host, [*canaries, forged, party, *answers])
        place = self.batch.records.index(self.drawn.migration)
        for validator in self.validators[:2]:
            self.vote(validator, self.batch, refuse=1 << place)
        self.split = self.settle(host, [self.made(home, host).migration])
        self.vote(self.validators[0], self.split)
        self.vote(self.validators[1], self.split, refuse=1)
        # Refused as soon as the third validator has left; but nobody counts these anew.
        self.hopeless = self.settle(host, [self.made(self.newcomer, host).migration])
        self.vote(self.validators[0], self.hopeless)
        self.vote(self.validators[1], self.hopeless, refuse=1)
        self.unvoted = self.settle(home, [self.refused(host, home)])
        own = self.made(home, self.validators[1]).migration
        by_validator = self.settle(self.validators[1], [own])
        self.vote(self.validators[0], by_validator)
        self.vote(self.validators[2], by_validator)

    def go_the_strict_way(self) -> None:
        """By the owners themselves, by a relayer with their signatures, and refused."""
        ways = (False, True, False, False)
        first, second, third, fourth = (self._steps(relayed) for relayed in ways)
        self.first_step = first
        for validator in self.validators[:2]:
            self._vote_on_step(validator, first, Reason.APPROVE)
        for step in (second, fourth):
            self._vote_on_step(self.validators[0], step, Reason.APPROVE)
            self._vote_on_step(self.validators[1], step, Reason.REFUSE_ORDER)
        self._vote_on_step(self.validators[2], third, Reason.ABSTAIN_INPUTS)
        self.step, self.late_step, self.hopeless_step = second, third, fourth
        refused = self.refused(self.newcomer, self.host)
        self.send(self.newcomer, encode("submitRequest", values_of(refused.request)))
        place, request_id = place_of(refused.request), refused.rejected.request_id
        answer = (place, request_id, int(Reason.POLICY), refused.rejected.signed_at)
        self.send(self.host, encode(*submission("reject", answer)))
        self.refused_step = refused

    def _steps(self, relayed: bool) -> ConfirmedMigration:
        made = self.made(self.newcomer, self.host).migration
        at, place = made.request.signed_at, place_of(made.request)
        request_id = made.result.request_id

        def go(key: Key, asset: Any, name: str, *values: Any) -> None:
            if relayed:
                self.send(self.home, encode(name, *values, key.sign(self.domain, asset)))
            else:
                self.send(key, encode(*submission(name, values)))

        go(self.newcomer, made.request, "request", values_of(made.request))
        go(self.host, made.accepted, "accept", place, request_id, at + 1)
        go(self.newcomer, made.confirmed, "confirm", place, request_id, at + 1, at + 2)
        told = (place, request_id, made.result.seal, made.result.signed_at)
        go(self.host, made.result, "result", *told)
        return made

    def _vote_on_step(self, validator: Key, made: ConfirmedMigration, reason: Reason) -> None:
        where, asset_id = place_of(made.request), digest(self.domain, made.result)
        self.send(validator, calls.vote([], [calls.StepVote(*where, asset_id, int(reason))]))

    def claim_canaries(self) -> None:
        """A puzzle, two planted ones, and an item that is skipped."""
        puzzle, planted, forgotten = self.puzzle, self.planted, self.forgotten
        three = Digest((3).to_bytes(32, "big"))
        mark = (2, puzzle.task_digest, puzzle.parameters, puzzle.salt)
        solved = PuzzleOpening(*mark, puzzle.seal_salt, three)
        opened_at = self.now()
        content = (planted.task_digest, REPLAY, planted.parameters, planted.salt)
        ids = (planted.migration.result.request_id, digest(self.domain, planted.migration.result))
        asset = CanaryOpened(*ids, *content, opened_at)
        told = HomesWords(opened_at, self.home.sign(self.domain, asset))
        wrong = replace(planted_of(forgotten), seal_salt=NOTHING)
        items = [
            self.item(puzzle, self.batch, solved, None),
            self.item(forgotten, self.batch, wrong, None),
            self.item(planted, self.batch, planted_of(planted), told),
            self.item(forgotten, self.batch, planted_of(forgotten), None),
        ]
        self.send(self.host, claim_calls.claim(items), self.contracts.claims)
        approve = ClaimVote(self._k3(planted), int(Reason.APPROVE))
        unknown = ClaimVote(self.fresh(), int(Reason.APPROVE))
        given = ([approve], [approve], [unknown])
        self.judge(list(zip(self.validators[:3], given, strict=True)))

    def _k3(self, made: Made) -> Digest:
        result_id = digest(self.domain, made.migration.result)
        return self.kudos_id(3, result_id, made.result_digest, made.seal_salt)

    def ask_a_puzzle(self) -> None:
        host, claims = self.newcomer, self.contracts.claims
        self.send(host, encode("askPuzzle", host.address, 4, b"", contract=CLAIMS), claims)
        self.chain.mine(2)
        asked = encode("puzzle", host.address, contract=CLAIMS)
        answer = self.rpc.call(claims, asked)
        _, parameters, _, _ = decode_result("puzzle", answer, contract=CLAIMS)
        tries = (number.to_bytes(32, "big") for number in range(10_000))
        solution = next(x for x in tries if keccak(parameters + x)[0] >> 4 == 0)
        data = encode("solvePuzzle", host.address, solution, contract=CLAIMS)
        self.send(self.home, data, claims)

    def commit_secrets(self) -> None:
        """To the next period and the one behind it, which begins then."""
        length = CONSTANTS.beacon_period_seconds
        self.period = self.now() // length + 1
        self.secrets = {key.address: self.fresh() for key in self.validators[:3]}
        for key in self.validators[:3]:
            for period in (self.period, self.period + 1):
                bound = (self.domain, key.address, period, self.secrets[key.address])
                sealed = claim_calls.secret_commitment(*bound)
                data = claim_calls.commit_secret(period, sealed)
                self.send(key, data, self.contracts.beacon)
        self.wait_for_next(length)

    def reveal_secrets(self) -> None:
        """Of the first period two are told, of the second one: it has no beacon."""
        length, beacon = CONSTANTS.beacon_period_seconds, self.contracts.beacon
        for period, told in ((self.period, 2), (self.period + 1, 1)):
            self.wait_for_next(length)
            for key in self.validators[:told]:
                secret = self.secrets[key.address]
                data = claim_calls.reveal_secret(key.address, period, secret)
                self.send(key, data, beacon)
            self.wait(CONSTANTS.beacon_reveal_seconds)
            self.send(self.home, claim_calls.fix_beacon(period), beacon)
            if told == 2:
                self.chain.mine(2)
                self.send(self.home, claim_calls.fix_beacon(period), beacon)

    def claim_drawn(self) -> None:
        """Runs differ: the claim is void."""
        made = self.drawn
        opening = DrawnOpening(made.task_digest, made.mark, made.seal_salt, made.result_digest)
        data = claim_calls.claim([self.item(made, self.batch, opening, None)])
        self.send(self.host, data, self.contracts.claims)
        reasons = (Reason.APPROVE, Reason.REFUSE_RESULT, Reason.ABSTAIN_SANDBOX)
        votes = [[ClaimVote(self._k3(made), int(reason))] for reason in reasons]
        self.judge(list(zip(self.validators[:3], votes, strict=True)))

    def test_validators(self) -> None:
        """Two refuse it, and the third approves unseen."""
        salt = self.fresh()
        made = self.made(self.newcomer, self.host, test_salt=salt)
        batch = self.settle(self.host, [made.migration])
        data = claim_calls.claim([self.item(made, batch, planted_of(made), None)])
        self.send(self.host, data, self.contracts.claims)
        reasons = (Reason.REFUSE_RESULT, Reason.REFUSE_RESULT, Reason.APPROVE)
        votes = [[ClaimVote(self._k3(made), int(reason))] for reason in reasons]
        self.judge(list(zip(self.validators[:3], votes, strict=True)))
        self.wait_for_next(CONSTANTS.round_seconds)
        result = made.migration.result
        ids = (result.request_id, digest(self.domain, result))
        shown = claim_calls.open_test(*ids, made.seal_salt, salt)
        self.send(self.home, shown, self.contracts.claims)

    def receipt(self) -> None:
        """Two RESULTs are settled late, and their home says that they were there in time."""
        late = [self.made(self.home, self.host, lasts=60) for _ in range(2)]
        self.wait(120)
        batch = self.settle(self.host, [each.migration for each in late])
        assert batch.claims == 0
        self.receipted = []
        for made in late:
            result = made.migration.result
            result_id = digest(self.domain, result)
            receipt = typed_digest(self, "Receipt", result_id, result.signed_at)
            signature = self.home.sign_digest(receipt)
            told = self.record_of(made.migration, batch)
            data = encode("claimReceipted", told, result.signed_at, signature, contract=CLAIMS)
            self.send(self.host, data, self.contracts.claims)
            self.receipted.append(self.kudos_id(2, result_id))
        reasons = ((Reason.APPROVE, Reason.APPROVE), (Reason.APPROVE, Reason.REFUSE_ORDER))
        for kudos_id, given in zip(self.receipted, reasons, strict=True):
            for validator, reason in zip(self.validators, given, strict=False):
                data = claim_calls.vote([ClaimVote(kudos_id, int(reason))])
                self.send(validator, data, self.contracts.claims)

    def change_the_set(self) -> None:
        """The third validator leaves, and what the other two disagree on is counted anew."""
        leaving, coming = (key.address for key in self.validators[2:4])
        self.execute(self.propose(2, "removing", leaving, 2))
        self.send(self.home, encode("recount", self.split.host, self.split.root))
        disputed = digest(self.domain, self.step.result)
        self.send(self.home, encode("recountStep", place_of(self.step.request), disputed))
        data = encode("recountClaim", self.receipted[1], contract=CLAIMS)
        self.send(self.home, data, self.contracts.claims)
        self.execute(self.propose(2, "adding", coming, 2))

    def claim_again(self) -> None:
        """K1 of a batch and of the strict way, and a K3, have waited too long, one twice."""
        claims = self.contracts.claims
        self.wait(WEEK + 1)
        (batched,) = self.unvoted.records
        waited: list[tuple[Migration, Placed | None]] = [
            *((batched, self.unvoted), (self.hopeless.records[0], self.hopeless)),
            *((step, None) for step in (self.refused_step, self.late_step, self.hopeless_step)),
        ]
        for settled, batch in waited:
            data = encode("claimAgain", self.record_of(settled, batch), contract=CLAIMS)
            self.send(self.home, data, claims)
        item = self.item(self.forgotten, self.batch, planted_of(self.forgotten), None)
        self.send(self.host, claim_calls.claim([item]), claims)
        assert isinstance(batched, RejectedMigration)
        kudos_id = self.kudos_id(1, digest(self.domain, batched.rejected))
        for validator in self.validators[:2]:
            vote = claim_calls.vote([ClaimVote(kudos_id, int(Reason.APPROVE))])
            self.send(validator, vote, claims)
        self.wait(WEEK + 1)
        data = encode("claimAgain", self.record_of(self.refused_step, None), contract=CLAIMS)
        self.send(self.home, data, claims)

    def take_a_place_again(self) -> None:
        """The number 65,536 after that of a step that was verified long ago; nobody votes on
        another one."""
        self.waiting_step = self._steps(relayed=False)
        self.wait(31 * DAY)
        first = self.first_step.request
        self._sequences[first.home, first.host] = first.seq + 65_536
        self.later_step = self._steps(relayed=False)

    def register_and_withdraw(self) -> None:
        name, contract = self.fresh(), creation_address(self.contracts.claims, 3)
        self.execute(self.propose(2, "registering", name, contract))
        self.propose(2, "settingThreshold", 3, withdraw=True)

    def close(self) -> None:
        self.execute(self.propose(2, "closing"))
