"""What one migration's page says beside its rows: who signed what, and what a commitment covers.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger.desk.checks import PLANTED, Check, mark_hash
from ledger.eip712 import Domain, types
from ledger.rows import Opening, SettledMigration, Step
from ledger.types import hex_of


@dataclass(frozen=True, slots=True)
class Signed:
    """How it is known that a step's owner made it; ``holds`` is None where no signature of its own
    is on the ledger."""

    holds: bool | None
    text: str


def signature_of(step: Step, checks: Sequence[Check]) -> Signed:
    """What covers one step: its own signature, a later one that names it, or a transaction."""
    signers = {check.name.removeprefix("signer of "): check for check in checks}
    if own := signers.get(step.asset):
        return Signed(own.holds, "signed by its owner" if own.holds else "signed by somebody else")
    confirmed = signers.get("CONFIRMED")
    if step.asset in ("REQUEST", "ACCEPTED") and confirmed:
        text = "named by CONFIRMED, whose signature " + ("holds" if confirmed.holds else "fails")
        return Signed(confirmed.holds, text)
    return Signed(None, "covered by what the host sent or signed in this transaction")


def commitment_words(
    domain: Domain, settled: SettledMigration, opening: Opening | None
) -> tuple[tuple[str, str], ...]:
    """Names and values of the words under a commitment's hash, once its mark is opened."""
    if opening is None:
        return ()
    request, asset = settled.request, opening.asset
    mark = mark_hash(PLANTED, asset.family, asset.parameters, asset.salt)
    return (
        ("type hash", hex_of(keccak(types()["hashed"]["commitment"].encode()))),
        ("chain", str(domain.chain_id)),
        ("ledger", hex_of(domain.contract)),
        ("home", hex_of(request.home)),
        ("host", hex_of(request.host)),
        ("sequence number", str(request.seq)),
        ("task digest", hex_of(asset.task_digest)),
        ("mark hash", hex_of(mark)),
    )
