"""K3 votes: judged as claims come, committed in the round after, revealed in the one after that.

    round r: claims are opened | round r + 1: one commitment, for all of them | then: reveals

A validator has one commitment per round, so it waits until it has judged everything that was opened
in the round before, or until the round is nearly over; what it could not judge by then it abstains
on, with the reason. Rounds are counted in block time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger import claim_calls
from ledger.abi import ContractReverted
from ledger.assets import CLAIM_WITHIN
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rows import UnvotedCanary
from ledger.sender import Sender
from ledger.types import BlockNumber, Digest, short
from node.ballot_box import BallotBox, Sealed
from node.handshake import Credentials
from node.rerun import Rerun

log = logging.getLogger(__name__)

JUDGED_AT_ONCE = 4
LAST_MOMENT = 0.4
"""The part of a round that is left for the commitment to be mined."""
GAS_BASE, GAS_PER_VOTE, GAS_MAX = 150_000, 75_000, 16_000_000
"""For each vote more than the dearest takes: the one that mints the first K3 of a new host."""
_EARLY = ("WrongRound", "NothingToReveal")
"""What the contract answers while the newest block is of the round before; it is asked again."""
MAX_VOTES = 200
"""More than that in one round stay without this validator's vote: a reveal has to fit a block."""


@dataclass(slots=True)
class Jury:
    """One validator's part in deciding K3 claims."""

    me: Credentials
    reader: Reader
    sender: Sender
    rerun: Rerun
    box: BallotBox
    commit_seconds: int
    _found: dict[Digest, Reason] = field(default_factory=dict)
    _sent: dict[tuple[str, int], BlockNumber] = field(default_factory=dict)

    async def round(self) -> int:
        """Judges some claims, commits or reveals what is due; how many transactions were sent."""
        now = int(self.me.clock.now())
        running = now // self.commit_seconds
        claims = self._claims(running)
        await self._judge(claims)
        sent = await self._commit(claims, running, now)
        return sent + await self._reveal(running)

    def _claims(self, running: int) -> dict[int, list[UnvotedCanary]]:
        """Open K3 claims of the round before and of this one, by these rounds. Of older ones none
        can be voted on; so many of them as there may be, they stand in nobody's way."""
        me, length = self.me.key.address, self.commit_seconds
        return {
            opened: self.reader.canary_claims_unvoted(
                me, MAX_VOTES, since=opened * length, until=(opened + 1) * length
            )
            for opened in (running - 1, running)
        }

    async def _judge(self, claims: dict[int, list[UnvotedCanary]]) -> None:
        """A few of those not judged yet, those of the round before first; inputs not to be had are
        asked for again as long as there is time."""
        open_ids = {claim.kudos.kudos_id for group in claims.values() for claim in group}
        self._found = {key: found for key, found in self._found.items() if key in open_ids}
        waiting = [
            claim
            for _, group in sorted(claims.items())
            for claim in group
            if self._found.get(claim.kudos.kudos_id) in (None, Reason.ABSTAIN_INPUTS)
        ]
        for claim in waiting[:JUDGED_AT_ONCE]:
            try:
                reason = await self.rerun.judge(claim)
            except Exception:
                # A claim is made by a stranger: nothing in it may end this process.
                log.exception("canary %s could not be judged", short(claim.kudos.kudos_id))
                reason = Reason.ABSTAIN_SANDBOX
            log.info("canary %s: %s", short(claim.kudos.request_id), reason.name)
            self._found[claim.kudos.kudos_id] = reason

    async def _commit(self, claims: dict[int, list[UnvotedCanary]], running: int, now: int) -> int:
        """The commitment of the running round, once it is complete or time runs out."""
        group = claims[running - 1]
        if not group or self.reader.has_committed(self.me.key.address, running):
            return 0
        if self._is_under_way("commitment", running):
            return 0
        left = (running + 1) * self.commit_seconds - now
        if left > LAST_MOMENT * self.commit_seconds and not self._is_complete(group, running):
            return 0
        votes = tuple(
            ClaimVote(claim.kudos.chain_id, self._found[claim.kudos.kudos_id])
            for claim in group
            if claim.kudos.kudos_id in self._found
        )
        if not votes:
            return 0
        sealed = self.box.seal(Sealed(running, votes, Digest(self.me.entropy(32))))
        commitment = claim_calls.votes_commitment(
            self.me.domain, self.me.key.address, running, sealed.votes, sealed.salt
        )
        data = claim_calls.commit_votes(running, commitment)
        if not await self._send("commitment", running, data, GAS_BASE):
            return 0
        log.info("committed to %d votes in round %d", len(sealed.votes), running)
        return 1

    def _is_complete(self, group: Sequence[UnvotedCanary], running: int) -> bool:
        """Whether the index has seen the end of the round before, and all its claims are judged."""
        head = self.reader.head()
        seen = head is not None and head.timestamp // self.commit_seconds >= running
        unsure = (None, Reason.ABSTAIN_INPUTS)
        return seen and all(self._found.get(each.kudos.kudos_id) not in unsure for each in group)

    async def _reveal(self, running: int) -> int:
        """Opens what was committed in earlier rounds, and forgets what nobody asks for any more."""
        me = self.me.key.address
        opening = set(self.reader.open_rounds(me))
        sent = 0
        for number in self.box.numbers():
            if number >= running:
                continue
            if (running - number) * self.commit_seconds > CLAIM_WITHIN:
                self.box.forget(number)
                continue
            sealed = self.box.sealed(number)
            under_way = self._is_under_way("reveal", number)
            if number in opening and sealed is not None and not under_way:
                gas = GAS_BASE + GAS_PER_VOTE * len(sealed.votes)
                data = claim_calls.reveal_votes(me, number, sealed.votes, sealed.salt)
                if await self._send("reveal", number, data, min(gas, GAS_MAX)):
                    log.info("revealed %d votes of round %d", len(sealed.votes), number)
                    sent += 1
        return sent

    def _is_under_way(self, what: str, number: int) -> bool:
        """Whether it was sent and the index has not come to that block. Has it come there without
        it, a reorganisation took it, and it is sent again."""
        head = self.reader.head()
        sent_in = self._sent.get((what, number))
        return sent_in is not None and (head is None or head.number < sent_in)

    async def _send(self, what: str, number: int, data: bytes, gas: int) -> bool:
        """False where no block of the round that our clock has come to is made yet."""
        contract = contracts_of(self.me.domain.contract).claims
        try:
            await asyncio.to_thread(self.sender.dry_run, contract, data)
        except ContractReverted as error:
            if error.error not in _EARLY:
                raise
            log.debug("%s of round %d: %s", what, number, error)
            return False
        receipt = await asyncio.to_thread(self.sender.send, contract, data, gas=gas)
        self._sent[what, number] = receipt.block_number
        return True
