"""What one migration's page says beside its rows: who signed what, and what a commitment covers.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger import validator_test
from ledger.desk.checks import PLANTED, Check, mark_hash
from ledger.eip712 import Domain, types
from ledger.rows import Opening, SettledMigration, SingleStep, Step, ValidatorTest
from ledger.types import Digest, hex_of


@dataclass(frozen=True, slots=True)
class Signed:
    """How it is known that a step's owner made it; ``holds`` is None where no signature of its own
    is on the ledger."""

    holds: bool | None
    text: str


def signature_of(
    step: Step, checks: Sequence[Check], alone: Mapping[Digest, SingleStep] | None = None
) -> Signed:
    """What covers one step: its own signature, a later one that names it, or a transaction;
    ``alone`` are the assets that came one by one."""
    signers = {check.name.removeprefix("signer of "): check for check in checks}
    if own := signers.get(step.asset):
        return Signed(own.holds, "signed by its owner" if own.holds else "signed by somebody else")
    if (single := (alone or {}).get(step.id)) is not None:
        if single.signature is None:
            return Signed(None, "its owner sent this transaction")
        return Signed(None, "signed by its owner's contract wallet, which the ledger asked")
    confirmed = signers.get("CONFIRMED")
    if step.asset in ("REQUEST", "ACCEPTED") and confirmed:
        text = "named by CONFIRMED, whose signature " + ("holds" if confirmed.holds else "fails")
        return Signed(confirmed.holds, text)
    return Signed(None, "covered by what the host sent or signed in this transaction")


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a request was drawn: the beacon of its period, and what came of the two together."""

    period: int
    rate: int
    beacon: Digest | None
    number: bytes
    threshold: bytes

    @property
    def holds(self) -> bool:
        return self.number < self.threshold


def drawn(settled: SettledMigration, beacon: Digest | None, period: int, rate: int) -> Drawn:
    """The draw, recomputed; without the beacon there is nothing to compute from."""
    number = keccak(beacon + settled.request_id) if beacon else b""
    return Drawn(period, rate, beacon, number, rate.to_bytes(2, "big").ljust(32, b"\0"))


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


def words_of_test(test: ValidatorTest | None) -> tuple[tuple[str, str], ...]:
    """Names and values of the words under a test's digest, and the digest itself."""
    if test is None:
        return ()
    return (
        ("type hash", hex_of(keccak(types()["hashed"]["validatorTest"].encode()))),
        ("request id", hex_of(test.request_id)),
        ("salt", hex_of(test.salt)),
        ("= sealed digest", hex_of(validator_test.digest_of(test.request_id, test.salt))),
    )
