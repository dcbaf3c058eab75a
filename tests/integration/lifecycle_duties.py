"""What validators do in rounds and periods: commit to votes and reveal them, and the beacon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

from ledger.abi import BEACON, CLAIMS
from ledger.assets import BeaconCommitment, ClaimVotes, VoteCommitment
from ledger.claim_calls import ClaimVote
from ledger.keys import Key
from ledger.reasons import Reason
from ledger.types import Digest
from tests.integration.ledger_model import Signed
from tests.integration.ledger_model.beacon import Status
from tests.integration.ledger_model.state import WINDOW
from tests.integration.ledger_model.verdicts import Standing
from tests.integration.lifecycle_votes import Validators
from tests.integration.side_by_side import SideBySide

APPROVE, OTHER = int(Reason.APPROVE), int(Reason.REFUSE_RESULT)
UNREPEATABLE = int(Reason.ABSTAIN_NOT_REPEATABLE)
TEMPERS = (
    (APPROVE,),
    (APPROVE,),
    (APPROVE,) * 9 + (OTHER, 144),
    (APPROVE, OTHER),
    (APPROVE, OTHER),
    (OTHER, OTHER, OTHER, APPROVE),
    (UNREPEATABLE, UNREPEATABLE, UNREPEATABLE, APPROVE),
    (APPROVE, 130, OTHER, UNREPEATABLE, 150, 127),
)


@dataclass(frozen=True)
class Sealed:
    """Votes that a validator has committed to."""

    judge: Key
    round: int
    votes: tuple[ClaimVote, ...]
    salt: Digest


class Duties:
    """The validators' work on single claims, and on the beacon."""

    def __init__(self, both: SideBySide, validators: Validators) -> None:
        self.both, self.random, self.model = both, both.random, both.model
        self.validators = validators
        self._sealed: list[Sealed] = []
        self._tempers: dict[Digest, tuple[int, ...]] = {}
        self._secrets: dict[tuple[bytes, int], Digest] = {}
        self._period = self.model.beacon.period_of(both.time)

    # -- K3 ------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Everybody in office, for the claims of the round before, but for a few who sleep."""
        verdicts = self.model.verdicts
        now = verdicts.round_of(self.both.time)
        fresh = [
            kudos_id
            for kudos_id, claim in verdicts.claims.items()
            if claim.level == 3 and verdicts.round_of(claim.opened_at) == now - 1
        ]
        if not fresh:
            return
        for holder in self.model.core.set.holders:
            judge = self.both.key(holder)
            missing = verdicts.commitments.get((holder, now)) is None
            if self.random.random() < (0.85 if missing else 0.05):
                self._commit(judge, now, fresh)

    def reveal(self) -> None:
        """What can be revealed, and now and then what cannot, or never."""
        now = self.model.verdicts.round_of(self.both.time)
        for sealed in list(self._sealed):
            due = sealed.round < now
            if self.random.random() > (0.9 if due else 0.03):
                continue
            if due:
                self._sealed.remove(sealed)
            salt = sealed.salt if self.random.random() > 0.03 else Digest(bytes(32))
            self._reveal(sealed, salt)
        self._sealed = [sealed for sealed in self._sealed if sealed.round >= now - 1]

    def to_next_round(self) -> None:
        length = self.both.rules.round_seconds
        self.both.wait(length - self.both.time % length)

    def _commit(self, judge: Key, number: int, fresh: Sequence[Digest]) -> None:
        votes = tuple(ClaimVote(kudos_id, self._word(kudos_id)) for kudos_id in fresh)
        known = list(self.model.verdicts.claims)
        if self.random.random() < 0.1:
            votes += (ClaimVote(self.random.choice(known), APPROVE),)
        if self.random.random() < 0.05:
            votes += (ClaimVote(Digest(self.random.randbytes(32)), APPROVE),)
        salt = Digest(self.random.randbytes(32))
        verdicts = self.model.verdicts
        commitment = verdicts.commitment(judge.address, number, votes, salt)
        if self.random.random() < 0.03:
            number += self.random.choice((-1, 1))
        signed = self._signed(judge, VoteCommitment(number, commitment))
        values: tuple[object, ...] = (number, commitment)

        def commit() -> None:
            verdicts.commit(judge.address, number, commitment, signed)

        if self._do(judge, signed, CLAIMS, commit, "commitVotes", *values):
            self._sealed.append(Sealed(judge, number, votes, salt))

    def _reveal(self, sealed: Sealed, salt: Digest) -> None:
        judge = sealed.judge.address
        listed = [astuple(vote) for vote in sealed.votes]
        values = (judge, sealed.round, listed, salt)

        def reveal() -> None:
            self.model.verdicts.reveal(judge, sealed.round, sealed.votes, salt)

        self.both.do(self.both.relayer, CLAIMS, reveal, "revealVotes", *values)

    def _word(self, kudos_id: Digest) -> int:
        if kudos_id not in self._tempers:
            self._tempers[kudos_id] = self.random.choice(TEMPERS)
        return self.random.choice(self._tempers[kudos_id])

    # -- K1 and K2 -----------------------------------------------------------------------------

    def vote(self) -> None:
        """Direct votes on what was claimed again or receipted; seldom on K3, which is refused."""
        judge = self.validators.judge()
        claims = self.model.verdicts.claims.items()
        careless = self.random.random() < 0.1
        open_ones = [
            kudos_id
            for kudos_id, claim in list(claims)[-60:]
            if careless
            or (
                claim.level != 3
                and claim.standing == Standing.OPEN
                and self.both.time <= claim.opened_at + WINDOW
                and judge.address not in (claim.home, claim.host)
                and all(said.validator != judge.address for said in claim.said)
            )
        ]
        if not open_ones:
            return
        chosen = self.random.sample(open_ones, min(len(open_ones), self.random.randrange(1, 5)))
        votes = [ClaimVote(kudos_id, self._word(kudos_id)) for kudos_id in chosen]
        signed = self._signed(judge, ClaimVotes(self.model.verdicts.signed_content(votes)))
        listed = [astuple(vote) for vote in votes]

        def vote() -> None:
            self.model.verdicts.vote(judge.address, votes, signed)

        self._do(judge, signed, CLAIMS, vote, "vote", listed)

    def recount(self) -> None:
        known = list(self.model.verdicts.claims)
        if known:
            kudos_id = self.random.choice(known)
            act = lambda: self.model.verdicts.recount(kudos_id)  # noqa: E731
            self.both.do(self.both.relayer, CLAIMS, act, "recountClaim", kudos_id)

    # -- the beacon ----------------------------------------------------------------------------

    def keep_beacon(self) -> None:
        """When a period has ended: its secrets are revealed, and others committed for the next."""
        now = self.model.beacon.period_of(self.both.time)
        if now == self._period:
            return
        over, self._period = self._period, now
        for (holder, period), secret in list(self._secrets.items()):
            if period == over and self.random.random() < 0.95:
                self._reveal_secret(holder, period, secret)
        self._fix(over)
        self._commit_secrets(now + 1)
        if self.random.random() < 0.3:
            self._commit_secret(self.validators.judge(), now)

    def begin_period(self) -> None:
        """A new one, with the secrets that it needs."""
        self._commit_secrets(self.model.beacon.period_of(self.both.time) + 1)
        self._to_next_period()
        self.keep_beacon()

    def end_period(self) -> None:
        """Until every period that somebody committed to has its value, or none."""
        self._to_next_period()
        self.keep_beacon()
        self.both.wait(self.both.rules.beacon_reveal_seconds)
        for period in sorted({period for _, period in self._secrets}):
            for _ in range(6):
                if self._status(period) != Status.WAITING:
                    break
                self._fix(period)
                if self.random.random() < 0.05:
                    self.both.mine(300)
            if self.random.random() < 0.2:
                self._fix(period)

    def _to_next_period(self) -> None:
        length = self.both.rules.beacon_period_seconds
        self.both.wait(length - self.both.time % length)

    def _commit_secrets(self, period: int) -> None:
        for holder in self.model.core.set.holders:
            if self.random.random() < 0.95:
                self._commit_secret(self.both.key(holder), period)

    def _status(self, period: int) -> int:
        self.model.world.time = self.both.time
        return self.model.beacon.standing(period)[0]

    def _commit_secret(self, judge: Key, period: int) -> None:
        secret = Digest(self.random.randbytes(32))
        beacon = self.model.beacon
        commitment = beacon.commitment(judge.address, period, secret)
        if self.random.random() < 0.03:
            period += 70
        signed = self._signed(judge, BeaconCommitment(period, commitment))

        def commit() -> None:
            beacon.commit(judge.address, period, commitment, signed)

        if self._do(judge, signed, BEACON, commit, "commit", period, commitment):
            self._secrets[judge.address, period] = secret

    def _reveal_secret(self, holder: bytes, period: int, secret: Digest) -> None:
        judge = next(key for key in self.both.judges if key.address == holder)
        if self.random.random() < 0.03:
            secret = Digest(bytes(32))
        act = lambda: self.model.beacon.reveal(judge.address, period, secret)  # noqa: E731
        self.both.do(self.both.relayer, BEACON, act, "reveal", judge.address, period, secret)

    def _fix(self, period: int) -> None:
        act = lambda: self.model.beacon.fix(period)  # noqa: E731
        self.both.do(self.both.relayer, BEACON, act, "fix", period)

    # -- plumbing ------------------------------------------------------------------------------

    def _signed(
        self, judge: Key, asset: VoteCommitment | ClaimVotes | BeaconCommitment
    ) -> Signed | None:
        kind = self.random.random()
        if kind < 0.6:
            return None
        signer = judge if kind < 0.97 else self.both.relayer
        return Signed(signer.sign(self.both.domain, asset))

    def _do(
        self,
        judge: Key,
        signed: Signed | None,
        contract: str,
        act: Callable[[], None],
        name: str,
        *values: object,
    ) -> bool:
        """By the validator itself, or by a relayer with its signature."""
        if signed is None:
            return self.both.do(judge, contract, act, name, *values)
        relayed = (judge.address, *values, signed.signature)
        return self.both.do(self.both.relayer, contract, act, f"{name}For", *relayed)
