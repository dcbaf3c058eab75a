"""K3 votes by hand: committed in the round after the claim's, opened in any round after that.

The votes wait in the same box as the daemon's, so whichever of the two runs next can open them. A
validator has one commitment per round: whoever votes by hand names all claims of a round at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger import claim_calls
from ledger.claim_calls import ClaimVote
from ledger.contracts import contracts_of
from ledger.eip712 import Domain
from ledger.errors import UsageError
from ledger.ports import Clock, Entropy
from ledger.reader import Reader
from ledger.rows import UnvotedCanary
from ledger.rpc import Receipt
from ledger.sender import Sender
from ledger.types import Digest, hex_of
from node.ballot_box import BallotBox, Sealed
from node.jury import GAS_BASE, GAS_MAX, GAS_PER_VOTE, MAX_VOTES

BOX = "ballots.db"


@dataclass(frozen=True, slots=True)
class Booth:
    """Where one validator commits and opens its votes by hand."""

    sender: Sender
    domain: Domain
    box: BallotBox
    clock: Clock
    entropy: Entropy
    commit_seconds: int

    @property
    def running(self) -> int:
        """The round that runs now."""
        return int(self.clock.now()) // self.commit_seconds

    def check(self, claims: Sequence[UnvotedCanary]) -> None:
        """UsageError unless the running round is the one for votes on all of these claims."""
        if len(claims) > MAX_VOTES:
            raise UsageError(
                f"{len(claims)} votes are too many for one commitment.",
                hint=f"Name {MAX_VOTES} K3 claims at most; the others stay without your vote.",
            )
        for claim in claims:
            turn = claim.kudos.place.timestamp // self.commit_seconds + 1
            if turn == self.running:
                continue
            begins = turn * self.commit_seconds - int(self.clock.now())
            raise UsageError(
                f"It is not the time to vote on K3 claim {hex_of(claim.kudos.kudos_id)}.",
                hint=f"Its round of votes begins in {begins} s: try again then."
                if begins > 0
                else "Its round of votes is over; it can be claimed again after the claim window.",
            )

    def commit(self, votes: Sequence[ClaimVote]) -> Receipt:
        """Seals the votes of the running round in the box, and sends the commitment to them."""
        number, salt = self.running, Digest(self.entropy(32))
        sealed = self.box.seal(Sealed(number, tuple(votes), salt))
        if sealed.votes != tuple(votes):
            raise UsageError(
                f"Other votes are sealed for round {number} already.",
                hint="A validator commits once per round, to all its K3 votes of the round.",
            )
        commitment = claim_calls.votes_commitment(
            self.domain, self.sender.address, number, sealed.votes, sealed.salt
        )
        return self._send(claim_calls.commit_votes(number, commitment), 0)

    def reveal(self, reader: Reader) -> list[tuple[int, Receipt]]:
        """Opens every commitment that is due and whose votes are in the box; round and receipt."""
        due = set(reader.open_rounds(self.sender.address))
        opened = []
        for number in self.box.numbers():
            sealed = self.box.sealed(number)
            if sealed is not None and number in due and number < self.running:
                me = self.sender.address
                data = claim_calls.reveal_votes(me, number, sealed.votes, sealed.salt)
                opened.append((number, self._send(data, len(sealed.votes))))
        return opened

    def _send(self, data: bytes, votes: int) -> Receipt:
        contract = contracts_of(self.domain.contract).claims
        self.sender.dry_run(contract, data)
        return self.sender.send(contract, data, gas=min(GAS_BASE + GAS_PER_VOTE * votes, GAS_MAX))


def booth(sender: Sender, domain: Domain, data: Path, clock: Clock, entropy: Entropy) -> Booth:
    """The booth of the validator whose data directory this is."""
    view, contract = claim_calls.commit_seconds(), contracts_of(domain.contract).claims
    seconds = view.decode(sender.rpc.call(contract, view.data))
    return Booth(sender, domain, BallotBox(data / BOX), clock, entropy, seconds)
