"""What the proven logs of one migration say, recomputed: ids, signatures, Merkle path, votes. Pure.

    BatchSettled [CanaryOpened [CanaryClaimed]]  votes  decision

The reading is the audit's (``ledger.audit_logs``); nothing here comes from the indexer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from eth_utils.crypto import keccak

from ledger.audit_logs import Hasher, Logged, Record, read_batch, seal, signed_by
from ledger.proof_format import Bundle
from ledger.proof_rules import ProvenRules
from ledger.proof_trie import BrokenProof
from ledger.types import hex_of, short

APPROVE, FIRST_REFUSAL, LAST_REFUSAL = 128, 129, 143
PLANTED = 1
_VOTED = {
    "K1": "BatchSettled( BatchVoted)*( BatchDecided)?",
    "K2": "BatchSettled( BatchVoted)*( BatchDecided)?",
    "K3": "BatchSettled CanaryOpened CanaryClaimed( CanaryVoted)*( CanaryDecided)?",
    "CANARY_OPENED": "BatchSettled CanaryOpened",
}
"""Which logs belong to a proof, in their order; for every other asset the settlement alone."""


class Story:
    """One migration, taken from its logs in their order; BrokenProof when they contradict it."""

    def __init__(self, bundle: Bundle, logs: Sequence[Logged]) -> None:
        expected = _VOTED.get(bundle.kind, "BatchSettled")
        _require(
            bool(re.fullmatch(expected, " ".join(log.event for log in logs))),
            f"a proof of {bundle.kind} consists of other logs",
        )
        self.proved: list[str] = []
        self.trusted: list[str] = []
        self.ids: dict[str, bytes] = {}
        self._hash = Hasher(bundle.chain_id, bundle.contract)
        self._bundle = bundle
        self._logs = logs
        self._record = self._settled(logs[0])
        if bundle.kind in ("CANARY_OPENED", "K3"):
            self._opened(logs[1])
        if bundle.kind == "K3":
            self._claimed(logs[2])
        _require(self.ids.get(bundle.kind) == bundle.id, f"its id is not that of the {bundle.kind}")

    def state(self, rules: ProvenRules | None) -> str:
        """What became of it: SETTLED for an asset, else CLAIMED, VERIFIED or REFUSED."""
        if self._bundle.kind not in ("K1", "K2", "K3"):
            return "SETTLED"
        votes = [log for log in self._logs if log.event.endswith("Voted")]
        last = self._logs[-1]
        decided = last if last.event.endswith("Decided") else None
        approving, refusing = self._tally(votes, rules)
        state = self._decision(decided) if decided else "CLAIMED"
        if rules is None:
            self.trusted.append(
                "who the validators are and how many are needed: the contract counted them"
            )
            self.proved.append(
                f"{len(approving)} voters approved and {len(refusing)} refused: {state}"
            )
            return state
        self._quorum(state, len(approving), len(refusing), rules)
        return state

    def _settled(self, log: Logged) -> Record:
        host, index = log.args["host"], self._bundle.index
        try:
            records = read_batch(host, log.args["batch"])
        except (ValueError, IndexError) as error:
            raise BrokenProof(f"the batch cannot be read: {error}") from error
        _require(0 <= index < len(records), "the batch has no record at this place")
        skipped = log.args["skipped"][::2]
        _require(index not in skipped, "the record was skipped, not settled")
        record = records[index]
        signed, leaf = self._assets(record)
        _require(signed_by(signed, record.signature, record.home), "the home did not sign this")
        depth = (len(records) - 1).bit_length()
        _require(len(self._bundle.path) == depth, "the Merkle path has another length")
        root = _climb(leaf, index, self._bundle.path)
        _require(root == log.args["root"], "the Merkle path does not lead to the batch's root")
        self.proved += [
            f"record {index} of batch {short(root)}, settled in block {log.block}, holds it",
            f"home {hex_of(record.home)} signed it; the host is {hex_of(host)}",
        ]
        self.trusted.append("that the host sent or signed the batch: the contract checked that")
        if log.args["claims"] >> index & 1:
            level, asset = (2, "CONFIRMED") if record.reason is None else (1, "REJECTED")
            values = (level, self.ids[asset], bytes(32), bytes(32))
            self.ids[f"K{level}"] = self._hash.digest("Kudos", *values)
        return record

    def _assets(self, record: Record) -> tuple[bytes, bytes]:
        """Computes the ids; gives the one that the home signed and the one in the Merkle tree."""
        request = self._hash.request(record)
        self.ids["REQUEST"] = request
        if record.reason is not None:
            values = (request, record.reason, record.answered_at)
            self.ids["REJECTED"] = self._hash.digest("Rejected", *values)
            return request, self.ids["REJECTED"]
        accepted = self._hash.digest("Accepted", request, record.answered_at)
        confirmed = self._hash.digest("Confirmed", accepted, record.confirmed_at)
        result = self._hash.digest("Result", request, record.seal, record.result_at)
        self.ids |= {"ACCEPTED": accepted, "CONFIRMED": confirmed, "RESULT": result}
        return confirmed, result

    def _opened(self, log: Logged) -> None:
        args, record = log.args, self._record
        self._same(args, requestId=self.ids["REQUEST"], home=record.home)
        self._same(args, resultId=self.ids.get("RESULT"))
        opened = self._hash.commitment(record, args, kind=PLANTED)
        _require(opened == record.commitment, "the opening is not that of the commitment")
        names = ("requestId", "resultId", "taskDigest", "family", "parameters", "salt", "signedAt")
        asset = self._hash.digest("CanaryOpened", *(args[name] for name in names))
        self.ids["CANARY_OPENED"] = asset
        self.proved.append(f"its commitment was opened in block {log.block}: a planted canary")
        if not signed_by(asset, args["signature"], record.home):
            self.trusted.append(
                "the opening's signature: not the home's key's, so its contract wallet's"
                f" (ERC-1271), asked by the contract in block {log.block}"
            )

    def _claimed(self, log: Logged) -> None:
        args, record = log.args, self._record
        opening = (args["resultDigest"], args["sealSalt"])
        kudos = self._hash.digest("Kudos", 3, self.ids["RESULT"], *opening)
        self._same(args, kudosId=kudos, host=record.host, requestId=self.ids["REQUEST"])
        opened = seal(*opening, record.host, self.ids["REQUEST"])
        _require(opened == record.seal, "the opening of the RESULT's seal is not its own")
        self.ids["K3"] = kudos
        self.proved.append(f"the host opened its RESULT's seal and claimed K3 in block {log.block}")

    def _tally(
        self, votes: Sequence[Logged], rules: ProvenRules | None
    ) -> tuple[set[bytes], set[bytes]]:
        voters = [vote.args["validator"] for vote in votes]
        _require(len(set(voters)) == len(voters), "a validator voted twice")
        if rules is not None:
            _require(set(voters) <= set(rules.validators), "a voter is no validator")
        said = {vote.args["validator"]: self._said(vote) for vote in votes}
        return (
            {voter for voter, (approves, _) in said.items() if approves},
            {voter for voter, (_, refuses) in said.items() if refuses},
        )

    def _said(self, vote: Logged) -> tuple[bool, bool]:
        args = vote.args
        if vote.event == "CanaryVoted":
            self._same(args, kudosId=self._bundle.id)
            refuses = FIRST_REFUSAL <= args["reason"] <= LAST_REFUSAL
            return args["reason"] == APPROVE, refuses
        self._about_the_batch(args)
        index = self._bundle.index
        return bool(args["approve"] >> index & 1), bool(args["refuse"] >> index & 1)

    def _decision(self, log: Logged) -> str:
        args, index = log.args, self._bundle.index
        if log.event == "CanaryDecided":
            self._same(args, kudosId=self._bundle.id, host=self._record.host)
            return "VERIFIED" if args["verified"] else "REFUSED"
        self._about_the_batch(args)
        verified, refused = args["verified"] >> index & 1, args["refused"] >> index & 1
        _require(verified + refused == 1, "the decision is not about this claim")
        return "VERIFIED" if verified else "REFUSED"

    def _quorum(self, state: str, approvals: int, refusals: int, rules: ProvenRules) -> None:
        m, n = rules.threshold, len(rules.validators)
        due = "VERIFIED" if approvals >= m else "REFUSED" if refusals > n - m else "CLAIMED"
        _require(state == due, f"{approvals} approve and {refusals} refuse: that is not {state}")
        self.proved.append(
            f"of {n} validators, of whom {m} are needed, {approvals} approved and {refusals}"
            f" refused: {state}"
        )
        if state == "CLAIMED":
            self.trusted.append("that there are no further votes: a proof of logs cannot show that")

    def _about_the_batch(self, args: Any) -> None:
        self._same(args, host=self._record.host, root=self._logs[0].args["root"])

    def _same(self, args: Any, **expected: bytes | None) -> None:
        for name, value in expected.items():
            _require(args[name] == value, f"a log names another {name}")


def _climb(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    node = leaf
    for sibling in path:
        node = keccak(sibling + node) if index & 1 else keccak(node + sibling)
        index >>= 1
    return node


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenProof(otherwise)
