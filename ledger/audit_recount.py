"""The audit's own contract: applies the rules to what was logged and says what differs.

Plain on purpose: votes are counted claim by claim, not by bit operations; signatures are recovered
one by one; every record of a batch is judged again, in the order in which the contract looks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from ledger.audit_logs import Hasher, Logged, Record, merkle_root, read_batch, seal, signed_by
from ledger.audit_state import (
    CLAIMED,
    REFUSED,
    VERIFIED,
    Batch,
    Claim,
    Difference,
    Rules,
    Settled,
    state_name,
)
from ledger.audit_tokens import Tokens
from ledger.audit_windows import CLAIM_WINDOW, deadline_reason
from ledger.reasons import Reason

WalletCheck = Callable[[bytes, bytes, bytes, int], bool]
"""Whether a contract wallet, asked at a block, takes these bytes for its signature of a digest."""


class Recount:
    """The ledger as the logs say it must be."""

    def __init__(self, hasher: Hasher, rules: Rules, wallet_signed: WalletCheck) -> None:
        self._hash = hasher
        self._rules = rules
        self._wallet_signed = wallet_signed
        self.tokens = Tokens()
        self.differences: list[Difference] = []
        self.assets = 0
        self.claims: dict[bytes, Claim] = {}
        self.batches: dict[tuple[bytes, bytes], Batch] = {}
        self.settled: dict[bytes, Settled | None] = {}
        """By request id; None for a rejection."""
        self._sequences: set[tuple[bytes, bytes, int]] = set()
        self._k1: Counter[tuple[bytes | int, ...]] = Counter()
        self._opened: set[bytes] = set()
        self._canary_voters: set[tuple[bytes, bytes]] = set()
        self._steps: dict[str, Callable[[Logged], None]] = {
            "BatchSettled": self._batch_settled,
            "BatchVoted": self._batch_voted,
            "BatchDecided": self._batch_decided,
            "CanaryOpened": self._canary_opened,
            "CanaryClaimed": self._canary_claimed,
            "CanarySkipped": lambda log: None,
            "CanaryVoted": self._canary_voted,
            "CanaryDecided": self._canary_decided,
            "TransferSingle": lambda log: self.differences.extend(self.tokens.mint(log)),
        }

    def apply(self, log: Logged) -> None:
        """Takes one log in the order of the chain."""
        if log.event not in ("BatchDecided", "CanaryDecided", "TransferSingle"):
            self.differences += self.tokens.settle(log.where)
        self._steps[log.event](log)

    def finish(self) -> None:
        """What only shows at the end: decisions announced and not due, or due and not announced."""
        self.differences += self.tokens.settle("the end of the log")
        for kudos_id, claim in self.claims.items():
            where = f"Kudos 0x{kudos_id.hex()}"
            self._same(
                where,
                "the decision announced",
                state_name(claim.state),
                state_name(claim.announced),
            )

    def totals(self) -> dict[bytes, tuple[int, int, int]]:
        """Verified Kudos by node and level."""
        counts: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
        for claim in self.claims.values():
            counts[claim.host][claim.level - 1] += claim.state == VERIFIED
        return {node: (k1, k2, k3) for node, (k1, k2, k3) in counts.items()}

    def _batch_settled(self, log: Logged) -> None:
        host, root = log.args["host"], log.args["root"]
        try:
            records = read_batch(host, log.args["batch"])
        except (ValueError, IndexError) as error:
            self._differs(log.where, "the batch", "in the packed form", str(error))
            return
        confirmed = log.args["batch"][2]
        batch = Batch(len(records), confirmed, log.timestamp)
        skipped, claims, leaves = [], 0, []
        for index, record in enumerate(records):
            reason = self._skip_reason(record, log.timestamp)
            if reason is not None:
                skipped += [index, int(reason)]
                leaves.append(bytes(32))
                continue
            leaf, kudos_id = self._settle(record, log.timestamp)
            leaves.append(leaf)
            if kudos_id is not None:
                batch.claims[index] = kudos_id
                claims |= 1 << index
        self.batches[host, root] = batch
        self._same(
            log.where, "the list of skipped records", list(skipped), list(log.args["skipped"])
        )
        self._same(log.where, "the claims of the batch", hex(claims), hex(log.args["claims"]))
        self._same(log.where, "the Merkle root", merkle_root(leaves).hex(), root.hex())

    def _skip_reason(self, record: Record, time: int) -> Reason | None:
        """Why the contract must have skipped this record, in the order in which it looks."""
        if record.home == record.host:
            return Reason.SELF
        if record.home in self._rules.validators or record.host in self._rules.validators:
            return Reason.PARTY_IS_VALIDATOR
        if (late := deadline_reason(record, time)) is not None:
            return late
        is_confirmed = record.reason is None
        ordered = record.answered_at <= record.confirmed_at <= record.result_at
        if is_confirmed and not ordered:
            return Reason.BAD_ORDER
        if (record.home, record.host, record.seq) in self._sequences:
            return Reason.SEQUENCE_USED
        signed = self._confirmed_id(record) if is_confirmed else self._hash.request(record)
        return None if signed_by(signed, record.signature, record.home) else Reason.BAD_SIGNATURE

    def _settle(self, record: Record, time: int) -> tuple[bytes, bytes | None]:
        """Records one migration; gives its leaf, and the id of its Kudos claim if it has one."""
        self._sequences.add((record.home, record.host, record.seq))
        request_id = self._hash.request(record)
        if record.reason is not None:
            self.assets += 2
            self.settled[request_id] = None
            rejected = self._hash.digest("Rejected", request_id, record.reason, record.answered_at)
            if not self._k1_allowed(record, time):
                return rejected, None
            return rejected, self._claim(1, rejected, record, request_id, time)
        self.assets += 4
        result = self._hash.digest("Result", request_id, record.seal, record.result_at)
        in_time = time <= record.deadline
        self.settled[request_id] = Settled(record, result, time, in_time)
        confirmed = self._confirmed_id(record)
        return result, self._claim(2, confirmed, record, request_id, time) if in_time else None

    def _k1_allowed(self, record: Record, time: int) -> bool:
        epoch = time // self._rules.epoch_seconds
        pair, host = (record.home, record.host, epoch), (record.host, epoch)
        if self._k1[pair] >= 1 or self._k1[host] >= self._rules.k1_per_host_and_epoch:
            return False
        self._k1[pair] += 1
        self._k1[host] += 1
        return True

    def _confirmed_id(self, record: Record) -> bytes:
        accepted = self._hash.digest("Accepted", self._hash.request(record), record.answered_at)
        return self._hash.digest("Confirmed", accepted, record.confirmed_at)

    def _claim(
        self, level: int, asset_id: bytes, record: Record, request_id: bytes, time: int
    ) -> bytes:
        kudos_id = self._hash.digest("Kudos", level, asset_id, bytes(32), bytes(32))
        self.claims[kudos_id] = Claim(level, record.host, record.home, request_id, time)
        self.assets += 1
        return kudos_id

    def _batch_voted(self, log: Logged) -> None:
        batch = self._batch_of(log)
        if batch is None:
            return
        validator = log.args["validator"]
        self._check_voter(log, validator in batch.ballots)
        approve, refuse = log.args["approve"], log.args["refuse"]
        batch.ballots[validator] = (approve, refuse)
        claims = sum(1 << index for index in batch.claims)
        self._same(log.where, "votes on no claim", "0x0", hex((approve | refuse) & ~claims))
        self._same(log.where, "claims both approved and refused", "0x0", hex(approve & refuse))
        for index, kudos_id in batch.claims.items():
            approves, refuses = bool(approve >> index & 1), bool(refuse >> index & 1)
            self._count(self.claims[kudos_id], approves, refuses)

    def _batch_decided(self, log: Logged) -> None:
        batch = self._batch_of(log)
        if batch is None:
            return
        for name, state in (("verified", VERIFIED), ("refused", REFUSED)):
            for index in range(128):
                if not log.args[name] >> index & 1:
                    continue
                claim = self.claims.get(batch.claims.get(index, b""))
                if claim is None:
                    self._differs(log.where, f"record {index}", "a claim", "decided without one")
                else:
                    self._announce(log, claim, state)

    def _canary_opened(self, log: Logged) -> None:
        args = log.args
        self.assets += 1
        settled = self.settled.get(args["requestId"])
        if settled is None:
            self._differs(log.where, "the opened request", "settled with a RESULT", "unknown")
            return
        self._opened.add(args["requestId"])
        record = settled.record
        self._same(log.where, "the home", record.home.hex(), args["home"].hex())
        self._same(log.where, "the RESULT", settled.result_id.hex(), args["resultId"].hex())
        commitment = self._hash.commitment(record, args, kind=1)
        self._same(log.where, "the commitment opened", record.commitment.hex(), commitment.hex())
        names = ("requestId", "resultId", "taskDigest", "family", "parameters", "salt", "signedAt")
        opened = self._hash.digest("CanaryOpened", *(args[name] for name in names))
        answer = (opened, args["signature"])
        if not signed_by(*answer, record.home) and not self._wallet_signed(
            record.home, *answer, log.block
        ):
            self._differs(log.where, "the opening's signature", "the home's", "another's")

    def _canary_claimed(self, log: Logged) -> None:
        args = log.args
        self.assets += 1
        kudos_id, request_id = args["kudosId"], args["requestId"]
        settled = self.settled.get(request_id)
        if settled is None or request_id not in self._opened:
            self._differs(log.where, "the canary", "settled and opened", "neither or one of them")
            return
        record = settled.record
        opening = (args["resultDigest"], args["sealSalt"])
        expected = self._hash.digest("Kudos", 3, settled.result_id, *opening)
        self._same(log.where, "the Kudos id", expected.hex(), kudos_id.hex())
        self._same(log.where, "the host", record.host.hex(), args["host"].hex())
        opened = seal(*opening, record.host, request_id)
        self._same(log.where, "the seal", (record.seal or b"").hex(), opened.hex())
        on_time = settled.in_time and log.timestamp <= settled.settled_at + CLAIM_WINDOW
        self._same(log.where, "a claim in time", True, on_time)
        self._same(log.where, "a first claim", True, kudos_id not in self.claims)
        self.claims[kudos_id] = Claim(3, record.host, record.home, request_id, log.timestamp)

    def _canary_voted(self, log: Logged) -> None:
        claim = self._canary_of(log)
        if claim is None:
            return
        ballot = (log.args["validator"], log.args["kudosId"])
        self._check_voter(log, ballot in self._canary_voters)
        self._canary_voters.add(ballot)
        reason = log.args["reason"]
        self._count(claim, reason == Reason.APPROVE, 129 <= reason <= 143)

    def _canary_decided(self, log: Logged) -> None:
        claim = self._canary_of(log)
        if claim is not None:
            self._announce(log, claim, VERIFIED if log.args["verified"] else REFUSED)

    def _count(self, claim: Claim, approves: bool, refuses: bool) -> None:
        claim.approvals += approves
        claim.refusals += refuses
        if claim.state != CLAIMED:
            return
        if claim.approvals >= self._rules.threshold:
            claim.state = VERIFIED
        elif claim.refusals > len(self._rules.validators) - self._rules.threshold:
            claim.state = REFUSED

    def _announce(self, log: Logged, claim: Claim, state: int) -> None:
        self._same(log.where, "a first decision", state_name(CLAIMED), state_name(claim.announced))
        # Decisions are logged right behind the vote that makes them, so they must be due now.
        self._same(log.where, "the decision due", state_name(claim.state), state_name(state))
        claim.announced = state
        if state == VERIFIED:
            self.tokens.verified(claim.host, claim.level)

    def _check_voter(self, log: Logged, voted_before: bool) -> None:
        self.tokens.voted(log.args["validator"])
        known = log.args["validator"] in self._rules.validators
        self._same(log.where, "a vote of a registered validator", True, known)
        self._same(log.where, "a validator's second vote", False, voted_before)

    def _batch_of(self, log: Logged) -> Batch | None:
        batch = self.batches.get((log.args["host"], log.args["root"]))
        if batch is None:
            self._differs(log.where, "the batch voted on", "settled", "unknown")
        return batch

    def _canary_of(self, log: Logged) -> Claim | None:
        claim = self.claims.get(log.args["kudosId"])
        if claim is None:
            self._differs(log.where, "the Kudos voted on", "claimed", "unknown")
        return claim

    def _same(self, where: str, what: str, expected: Any, found: Any) -> None:
        if expected != found:
            self._differs(where, what, str(expected), str(found))

    def _differs(self, where: str, what: str, expected: str, found: str) -> None:
        self.differences.append(Difference(where, what, expected, found))
