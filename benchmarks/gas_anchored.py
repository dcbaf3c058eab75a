"""Gas of the anchored mode: one root, two validators' signatures, dense totals of 64 hosts."""

from __future__ import annotations

from benchmarks.bench import Bench
from ledger.abi import encode, encode_creation
from ledger.anchoring import pack_totals
from ledger.assets import Anchor
from ledger.eip712 import Domain
from ledger.types import Address

ANCHORED = "AnchoredLedger"
_HOSTS = 64
_DAY = 86_400


class Anchors:
    """An anchored ledger on the bench's validators."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        creation = encode_creation(
            bench.deployment.contract, 30 * _DAY, 3 * _DAY, contract=ANCHORED
        )
        contract = bench.host_sender.send(None, creation).contract
        if contract is None:
            raise SystemExit("The chain named no contract for the anchored ledger.")
        self.contract: Address = contract
        self._domain = Domain(bench.deployment.chain_id, contract)
        self._sequence = 0

    def anchor(self, leaves: int) -> int:
        """The gas of one anchor of so many leaves."""
        bench = self._bench
        hosts = [bench.key().address for _ in range(_HOSTS)] if self._sequence == 0 else []
        totals = pack_totals(self._shares(leaves))
        asset = Anchor(self._sequence, bench.word(), leaves, tuple(hosts), totals)
        signatures = b"".join(key.sign(self._domain, asset) for key in bench.validators[:2])
        numbers = (asset.sequence, asset.root, asset.count, hosts, totals, signatures)
        receipt = bench.host_sender.send(
            self.contract, encode("anchor", *numbers, contract=ANCHORED)
        )
        self._sequence += 1
        return receipt.gas_used

    def _shares(self, leaves: int) -> dict[int, int]:
        """At least one leaf for every host, and the rest at random."""
        shares = dict.fromkeys(range(_HOSTS), 1)
        for _ in range(leaves - _HOSTS):
            shares[self._bench.random.randrange(_HOSTS)] += 1
        return shares


def measure_anchored(bench: Bench) -> dict[str, int]:
    anchors = Anchors(bench)
    first = anchors.anchor(1_024)
    anchors.anchor(1_024)
    return {
        "anchored_1024": anchors.anchor(1_024) // 1_024,
        "anchored_1024_fresh": first // 1_024,
        "anchored_10000": anchors.anchor(10_000) // 10_000,
        "anchored_transaction": anchors.anchor(1_024),
    }
