"""The indexed copy as everybody but the indexer sees it: read-only, in the reader's own process.

One ``Reader`` per thread. Answers to one question come from one state of the copy; who asks several
questions that must agree puts them into one ``snapshot``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger import browse, docket, schema, standing, timed_out
from ledger.open_copy import OpenCopy
from ledger.rows import (
    Draw,
    KudosRow,
    NodeRow,
    Opening,
    SettledMigration,
    SingleStep,
    Step,
    Totals,
    UnvotedBatch,
    UnvotedCanary,
    UnvotedSingle,
    ValidatorRow,
    ValidatorTest,
    Vote,
)
from ledger.types import Address, BlockNumber, Digest

_FINAL = "(SELECT final_number FROM cursor)"


class Reader(OpenCopy):
    """What can be asked of one open copy."""

    # Admission.

    def kudos(self, address: Address, *, final_only: bool = False) -> Totals:
        """A node's verified Kudos; zero for a stranger."""
        row = self._one("SELECT k1, k2, k3 FROM nodes WHERE address = ?", address)
        if row is None:
            return Totals()
        if not final_only:
            return Totals(*row)
        sql = (
            "SELECT total(level = 1), total(level = 2), total(level = 3) FROM kudos WHERE host = ?"
            f" AND decided_block > {_FINAL} AND state = {schema.VERIFIED}"
        )
        young = self._one(sql, address) or (0, 0, 0)
        return Totals(*(int(all_ - new) for all_, new in zip(row, young, strict=True)))

    # Strategies: now, or as of a block.

    def kudos_at(self, address: Address, at: BlockNumber | None) -> Totals:
        """A node's verified Kudos."""
        return standing.kudos(self._conn, address, at)

    def pair_totals(self, home: Address, host: Address, at: BlockNumber | None = None) -> Totals:
        """The verified Kudos that a host has for tasks of one home."""
        return standing.pair_totals(self._conn, home, host, at)

    def unsettled(
        self, home: Address, host: Address, at: BlockNumber | None = None
    ) -> tuple[int, int]:
        """(asked, missing) of a home's last requests to a host; missing left nothing here."""
        return standing.unsettled(self._conn, home, host, at)

    def epoch_points(self, node: Address, at: BlockNumber | None = None) -> list[tuple[int, int]]:
        """(epoch, verified points claimed in it); takes time with each Kudos of the node."""
        return standing.epoch_points(self._conn, node, at)

    def drawn_passed(self, node: Address, at: BlockNumber | None = None) -> int:
        """Canaries of a node that the beacon drew and validators verified; takes time with each
        Kudos of the node."""
        return standing.drawn_passed(self._conn, node, at)

    def largest_amounts(
        self, node: Address, limit: int, at: BlockNumber | None = None
    ) -> list[int]:
        """The points that a node has from those that it has most of them from, in falling order."""
        return standing.largest_amounts(self._conn, node, limit, at)

    def strangers(self, host: Address, at: BlockNumber | None = None) -> tuple[int, int]:
        """(tried, good) of the homes that a host helped before they had done any work."""
        return standing.strangers(self._conn, host, at)

    def dealings(self, node: Address, limit: int) -> standing.Dealings:
        """A node's claims and pairs, to explain where its Kudos come from."""
        return standing.dealings(self._conn, node, limit)

    def past_requests(
        self, since: int = 0, host: Address | None = None
    ) -> Iterator[standing.PastRequest]:
        """Settled requests from a second on, as they were signed."""
        return standing.past_requests(self._conn, since, host)

    # Settlement.

    def is_settled(self, request_id: Digest) -> bool:
        """Whether this request stands on the ledger."""
        return self._exists("migrations WHERE request_id = ?", request_id)

    def is_final_settled(self, request_id: Digest) -> bool:
        """Whether it stands there in a final block."""
        return self._exists(f"migrations WHERE request_id = ? AND block <= {_FINAL}", request_id)

    def is_claimed(self, kudos_id: Digest) -> bool:
        """Whether this Kudos was claimed, whatever became of it."""
        return self._exists("kudos WHERE kudos_id = ?", kudos_id)

    def is_final_claimed(self, kudos_id: Digest) -> bool:
        """Whether it was claimed in a final block."""
        return self._exists(f"kudos WHERE kudos_id = ? AND block <= {_FINAL}", kudos_id)

    def open_claims(
        self, host: Address, until: int, times: int, limit: int = 64
    ) -> list[timed_out.OpenClaim]:
        """A host's claims that are undecided and were made before a second, up to so many times;
        the oldest first."""
        return timed_out.open_claims(self._conn, host, until, times, limit)

    def is_over(self, kudos_id: Digest) -> bool:
        """Whether a claim is decided, or made again, in a final block."""
        return timed_out.is_over(self._conn, kudos_id)

    def kudos_state(self, kudos_id: Digest) -> int | None:
        """CLAIMED, VERIFIED or REFUSED of ``ledger.schema``; None for an unknown one."""
        row = self._one("SELECT state FROM kudos WHERE kudos_id = ?", kudos_id)
        return int(row[0]) if row else None

    def skip_reasons(self, request_id: Digest) -> list[int]:
        """Why batches skipped a record of this request, oldest first."""
        sql = "SELECT reason FROM skipped WHERE request_id = ? ORDER BY block, log_index"
        return [row[0] for row in self._conn.execute(sql, (request_id,))]

    def is_sequence_used(self, home: Address, host: Address, seq: int) -> bool:
        """Whether this number of the two is settled."""
        where = "SELECT 1 FROM migrations WHERE home = ? AND host = ? AND seq = ?"
        return self._one(where, home, host, seq) is not None

    def next_free_sequence(self, home: Address, host: Address) -> int:
        """One above the highest sequence number that is settled between the two."""
        sql = "SELECT coalesce(max(seq), -1) + 1 FROM migrations WHERE home = ? AND host = ?"
        return int((self._one(sql, home, host) or (0,))[0])

    def results(
        self, home: Address, since_block: BlockNumber, limit: int = 1000
    ) -> list[SettledMigration]:
        """The home's requests with a RESULT that were settled after this block, oldest first."""
        where = "m.home = ? AND m.block > ? AND m.rejection IS NULL"
        return browse.migrations(self._conn, where, (home, since_block), "ASC", limit)

    def results_of_host(self, host: Address, since: int, until: int) -> list[SettledMigration]:
        """What a host gave back that was settled at or after ``since`` and before ``until``
        (seconds), oldest first, as far as no K3 was claimed on it."""
        return docket.results_without_canary(self._conn, host, since, until)

    def is_void(self, task_digest: Digest) -> bool:
        """Whether a canary with this task was void: runs of it do not agree."""
        return docket.is_void(self._conn, task_digest)

    # Validators.

    def batches_unvoted(self, validator: Address, limit: int = 64) -> list[UnvotedBatch]:
        """Batches with open claims in which this validator has no ballot, oldest first."""
        return docket.batches_unvoted(self._conn, self.domain.contract, validator, limit)

    def canary_claims_unvoted(
        self, validator: Address, limit: int = 64, since: int = 0, until: int | None = None
    ) -> list[UnvotedCanary]:
        """Open K3 claims that this validator may vote on and has not, opened in [since, until)
        seconds; every pair of home and host in its turn."""
        return docket.canary_claims_unvoted(self._conn, validator, limit, since, until)

    def singles_unvoted(self, validator: Address, limit: int = 64) -> list[UnvotedSingle]:
        """Open K1 and K2 claims outside of batches that this validator may vote on and has not."""
        return docket.singles_unvoted(self._conn, validator, limit)

    def validator_set(self) -> docket.ValidatorSet | None:
        """The validators in office; None while the copy is empty."""
        return docket.validator_set(self._conn)

    def has_committed(self, validator: Address, number: int) -> bool:
        """Whether a validator committed to votes in this round."""
        return docket.has_committed(self._conn, validator, number)

    def beacon(self, validator: Address, period: int) -> docket.BeaconState:
        """How the beacon of a period stands, and what this validator has done for it."""
        return docket.beacon(self._conn, validator, period)

    def known_beacons(self, since: int) -> list[tuple[int, Digest]]:
        """The final beacons of the periods from ``since`` on."""
        return docket.known_beacons(self._conn, since)

    def open_rounds(self, validator: Address) -> list[int]:
        """The rounds of commitments that a validator has not opened."""
        return docket.open_rounds(self._conn, validator)

    # People.

    def migration(self, request_id: Digest) -> SettledMigration | None:
        """One migration by its request id; None when it is not settled."""
        found = browse.migrations(self._conn, "m.request_id = ?", (request_id,), "ASC", 1)
        return found[0] if found else None

    def migrations(
        self, limit: int = 50, before: BlockNumber | None = None
    ) -> list[SettledMigration]:
        """The latest migrations, or the latest below a block."""
        where, values = ("1", ()) if before is None else ("m.block < ?", (before,))
        return browse.migrations(self._conn, where, values, "DESC", limit)

    def opening(self, request_id: Digest) -> Opening | None:
        """How the mark of this request was opened, if it was."""
        return browse.opening(self._conn, request_id)

    def family_number(self, family: Digest) -> int | None:
        """The number of a family whose answers the contract checks; None for others."""
        row = self._one("SELECT number FROM families WHERE family = ?", family)
        return row[0] if row else None

    def draw(self, request_id: Digest) -> Draw | None:
        """What the beacon made of a request."""
        return browse.draw(self._conn, request_id)

    def validator_test(self, request_id: Digest) -> ValidatorTest | None:
        """What showed that this request's claim tested the validators, if it did."""
        return browse.validator_test(self._conn, request_id)

    def steps(self, request_id: Digest) -> list[SingleStep]:
        """The assets of a migration that came the strict way."""
        return browse.steps(self._conn, request_id)

    def claims_of(self, request_id: Digest) -> list[KudosRow]:
        """The Kudos claimed on this migration."""
        return browse.claims(
            self._conn, "k.request_id = ? ORDER BY k.level, k.attempt", (request_id,)
        )

    def votes(self, kudos_id: Digest) -> list[Vote]:
        """What the validators said of a claim, in the order of their votes."""
        return browse.votes(self._conn, kudos_id)

    def lifecycle(self, request_id: Digest) -> list[Step]:
        """The assets of one migration from REQUEST to KUDOS; empty when it is not settled."""
        return browse.lifecycle(self, request_id)

    def nodes(self) -> list[NodeRow]:
        """Every node with its roll-ups, the most points first."""
        return browse.nodes(self._conn)

    def validators(self) -> list[ValidatorRow]:
        """Every validator that ever voted."""
        return browse.validators(self._conn)

    def kudos_series(self, node: Address) -> list[tuple[int, int]]:
        """(block time, verified points so far), a pair for each block that changed them."""
        return browse.kudos_series(self._conn, node)

    def accepted_series(self, node: Address) -> list[tuple[int, int]]:
        """(block time, tasks of this node that others had accepted so far)."""
        return browse.accepted_series(self._conn, node)
