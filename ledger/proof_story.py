"""What the proven logs of one migration say, recomputed: ids, signatures, Merkle path, votes. Pure.

    settlement  [BeaconKnown] CanariesClaimed  [VotesCommitted]  votes  decision

The reading is the audit's (``ledger.audit_assets``); nothing here comes from the indexer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from eth_utils.crypto import keccak

from ledger.audit_assets import (
    DRAWN,
    PUZZLE,
    CanaryItem,
    Hasher,
    planted_mark,
    puzzle_digest,
    read_canaries,
    seal,
    signed_by,
)
from ledger.audit_logs import Logged
from ledger.audit_state import Claim
from ledger.proof_format import Bundle
from ledger.proof_rules import ProvenRules
from ledger.proof_settled import SIGNED, STEPS, Findings, Settlement, read_settlement, require
from ledger.proof_trie import BrokenProof
from ledger.proof_votes import judge
from ledger.types import hex_of

_SETTLED = "(BatchSettled|Requested( Accepted( Confirmed( Resulted)?)?| Rejected)?)"
_AGAIN = " (ClaimedAgain|Receipted)( ClaimVoted)*( ClaimDecided)?"
_FIRST = "(( BatchVoted)*( BatchDecided)?|( StepVoted)*( StepDecided)?)"
_CANARY = "( BeaconKnown)? CanariesClaimed( VotesCommitted)*( ClaimVoted)*( ClaimDecided)?"
_EXPECTED = {
    "K1": f"{_SETTLED}({_FIRST}|{_AGAIN})",
    "K2": f"{_SETTLED}({_FIRST}|{_AGAIN})",
    "K3": f"({_SETTLED}{_CANARY}|PuzzleSolved)",
    "CANARY_OPENED": f"{_SETTLED} CanariesClaimed",
}
"""Which logs belong to a proof, in their order; for every other asset the settlement alone."""


class Story:
    """One migration, taken from its logs in their order; BrokenProof when they contradict it."""

    def __init__(self, bundle: Bundle, logs: Sequence[Logged]) -> None:
        names = " ".join(log.event for log in logs if log.event != SIGNED)
        expected = _EXPECTED.get(bundle.kind, _SETTLED)
        require(bool(re.fullmatch(expected, names)), f"a proof of {bundle.kind} has other logs")
        self.found = Findings()
        self._hash = Hasher(bundle.chain_id, bundle.contract)
        self._bundle, self._logs = bundle, logs
        self._by_contract = False
        self._claim: Claim | None = None
        if names == "PuzzleSolved":
            self._solved(logs[0])
        else:
            first = ("BatchSettled", SIGNED, *STEPS)
            settled = [log for log in logs if log.event in first]
            require(list(logs[: len(settled)]) == settled, "the settlement is not in front")
            self._settled = read_settlement(self._hash, bundle, settled, self.found)
            self._after(self._settled, logs[len(settled) :])
        own = self.found.ids.get(bundle.kind)
        require(own == bundle.id, f"its id is not that of the {bundle.kind}")

    @property
    def proved(self) -> list[str]:
        return self.found.proved

    @property
    def trusted(self) -> list[str]:
        return self.found.trusted

    def state(self, rules: ProvenRules | None) -> str:
        """What became of it: SETTLED for an asset, else CLAIMED, VERIFIED, REFUSED or VOID."""
        if self._bundle.kind not in ("K1", "K2", "K3"):
            return "SETTLED"
        if self._by_contract:
            self.trusted.append("that the puzzle's answer is right: its family's contract said so")
            return "VERIFIED"
        require(self._claim is not None, "nobody claimed these Kudos")
        assert self._claim is not None, "required above"
        return judge(self._claim, self._bundle.index, self._root(), self._logs, rules, self.found)

    def _root(self) -> bytes | None:
        return self._settled.root

    def _after(self, settled: Settlement, logs: Sequence[Logged]) -> None:
        """What follows the settlement: the opening or the draw, and the claim."""
        names = {log.event: log for log in logs}
        kind, ids = self._bundle.kind, self.found.ids
        if claimed := names.get("CanariesClaimed"):
            self._canary(settled, claimed, names.get("BeaconKnown"))
        elif again := names.get("ClaimedAgain") or names.get("Receipted"):
            asset = again.args.get("assetId", again.args.get("resultId"))
            self._same(again.args, kudosId=ids.get(kind), host=settled.record.host)
            answer = ids.get("RESULT") or ids.get("REJECTED")
            require(asset == answer, "the claim is on another asset")
            self._open(int(kind[1]), again.timestamp)
            self.proved.append(f"{kind} was claimed by itself in block {again.block}")
        elif kind in ("K1", "K2") and settled.claimed:
            self._open(int(kind[1]), settled.settled_at)

    def _open(self, level: int, opened_at: int) -> None:
        record, ids = self._settled.record, self.found.ids
        about = (record.host, record.home, ids["REQUEST"], ids[f"K{level}"], opened_at)
        self._claim = Claim(ids[f"K{level}"], level, *about)

    def _canary(self, settled: Settlement, log: Logged, beacon: Logged | None) -> None:
        record = settled.record
        require(log.args["host"] == record.host, "the canary is another host's")
        try:
            items = list(read_canaries(log.args["claims"]))
        except (ValueError, IndexError) as error:
            raise BrokenProof(f"the claims cannot be read: {error}") from error
        item = next((i for i in items if (i.home, i.seq) == (record.home, record.seq)), None)
        require(item is not None, "no claim there is on this migration")
        assert item is not None, "required above"
        kind = item.form & 3
        digest = puzzle_digest(item.answer) if kind == PUZZLE else item.answer
        opened = seal(digest, item.seal_salt, record.host, self.found.ids["REQUEST"])
        require(opened == record.seal, "the opening of the RESULT's seal is not its own")
        self.found.ids["K3"] = self._hash.kudos(3, self.found.ids["RESULT"], digest, item.seal_salt)
        self.proved.append(f"the host opened its RESULT's seal and claimed K3 in block {log.block}")
        self._mark(settled, item, kind, beacon, log)
        self._by_contract = kind == PUZZLE
        if not self._by_contract:
            self._open(3, log.timestamp)

    def _mark(
        self, settled: Settlement, item: CanaryItem, kind: int, beacon: Logged | None, log: Logged
    ) -> None:
        record = settled.record
        mark = item.mark_hash
        if kind != DRAWN:
            require(beacon is None, "a planted canary needs no beacon")
            if kind == PUZZLE:
                # The log has the family's number; its name is in the mark that the home signed.
                self.trusted.append(
                    "the family of the puzzle: the contract checked it against the commitment"
                )
                return
            mark = planted_mark(item.family, item.parameters, item.salt)
        opened = self._hash.commitment(record, item.task_digest, mark)
        require(opened == record.commitment, "the opening is not that of the commitment")
        if kind == DRAWN:
            self._drawn(settled, beacon)
            return
        self.proved.append(f"its commitment was opened in block {log.block}: a planted canary")
        if item.signature is not None:
            self._home_opened(item, log)

    def _drawn(self, settled: Settlement, beacon: Logged | None) -> None:
        require(beacon is not None, "a drawn canary needs its beacon")
        assert beacon is not None, "required above"
        number = keccak(beacon.args["value"] + self.found.ids["REQUEST"])
        share, period = int.from_bytes(number[:2], "big"), beacon.args["period"]
        known = f"the beacon of period {period}, known in block {beacon.block}, draws it"
        if self._bundle.account is None:
            self.proved.append(f"{known} where more than {share} of 65,536 are drawn")
            self.trusted.append("the rate of drawing, and that the beacon is that of its period")
            return
        # These constants are in the code that the proof shows.
        constants = self._bundle.account.constants
        require(share < constants.draw_rate, "the beacon does not draw it")
        due = settled.settled_at // constants.beacon_period_seconds
        require(period == due, f"its beacon is that of period {due}, not {period}")
        self.proved.append(
            f"{known}: it was settled in that period, and of 65,536 {constants.draw_rate} are drawn"
        )

    def _home_opened(self, item: CanaryItem, log: Logged) -> None:
        ids, record = self.found.ids, self._settled.record
        values = (ids["REQUEST"], ids["RESULT"], item.task_digest, item.family)
        secret = (item.parameters, item.salt, item.opened_at)
        ids["CANARY_OPENED"] = asset = self._hash.digest("CanaryOpened", *values, *secret)
        if not signed_by(asset, item.signature or b"", record.home):
            self.trusted.append(
                "the opening's signature: not the home's key's, so its contract wallet's"
                f" (ERC-1271), asked by the contract in block {log.block}"
            )

    def _solved(self, log: Logged) -> None:
        host, counter = log.args["host"], log.args["counter"]
        self.found.ids["K3"] = keccak(b"open puzzle" + host + counter.to_bytes(4, "big"))
        self._by_contract = True
        self.proved.append(f"{hex_of(host)} solved puzzle {counter} of the contract's own")

    def _same(self, args: Any, **expected: bytes | None) -> None:
        for name, value in expected.items():
            require(args[name] == value, f"a log names another {name}")
