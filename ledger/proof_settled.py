"""How the migration of a proof was settled, recomputed from its logs: in a batch, or step by step.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eth_utils.crypto import keccak

from ledger.audit_assets import Hasher, Record, read_batch, read_request, signed_by
from ledger.audit_logs import Logged
from ledger.proof_format import Bundle
from ledger.proof_trie import BrokenProof
from ledger.types import hex_of, short

STEPS = ("Requested", "Accepted", "Rejected", "Confirmed", "Resulted")
SIGNED = "Signed"


def require(holds: bool, otherwise: str) -> None:
    """BrokenProof where something does not hold."""
    if not holds:
        raise BrokenProof(otherwise)


@dataclass(slots=True)
class Findings:
    """What came out so far: ids by the kind of asset, sentences for the verdict."""

    ids: dict[str, bytes] = field(default_factory=dict)
    proved: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The migration, as far as the logs tell it; ``claimed``: its settlement opened K1 or K2."""

    record: Record
    root: bytes | None
    block: int
    settled_at: int
    claimed: bool


def read_settlement(
    hasher: Hasher, bundle: Bundle, logs: Sequence[Logged], found: Findings
) -> Settlement:
    """From the logs of the settlement alone."""
    if logs[0].event == "BatchSettled":
        return _batched(hasher, bundle, logs[0], found)
    require(not bundle.path and bundle.index == 0, "single steps have no place in a batch")
    return _stepped(hasher, logs, found)


def _batched(hasher: Hasher, bundle: Bundle, log: Logged, found: Findings) -> Settlement:
    host, index = log.args["host"], bundle.index
    try:
        records = read_batch(host, log.args["batch"])
    except (ValueError, IndexError) as error:
        raise BrokenProof(f"the batch cannot be read: {error}") from error
    require(0 <= index < len(records), "the batch has no record at this place")
    require(index not in log.args["skipped"][::2], "the record was skipped, not settled")
    record = records[index]
    _name_assets(hasher, record, found)
    signed = found.ids["REQUEST" if record.reason is not None else "CONFIRMED"]
    require(signed_by(signed, record.signature, record.home), "the home did not sign this")
    require(
        len(bundle.path) == (len(records) - 1).bit_length(), "the Merkle path has another length"
    )
    root = _climb(hasher.answer(record), index, bundle.path)
    require(root == log.args["root"], "the Merkle path does not lead to the batch's root")
    found.proved += [
        f"record {index} of batch {short(root)}, settled in block {log.block}, holds it",
        f"home {hex_of(record.home)} signed it; the host is {hex_of(host)}",
    ]
    found.trusted.append("that the host sent or signed the batch: the contract checked that")
    claimed = bool(log.args["claims"] >> index & 1)
    return _claimed(hasher, Settlement(record, root, log.block, log.timestamp, claimed), found)


def _stepped(hasher: Hasher, logs: Sequence[Logged], found: Findings) -> Settlement:
    signature: Logged | None = None
    claimed = False
    steps = [log for log in logs if log.event != SIGNED]
    record = read_request(steps[0].args["request"])
    request_id = hasher.request(record)
    for log in logs:
        if log.event == SIGNED:
            signature = log
            continue
        require(log.args["requestId"] == request_id, "a step is another request's")
        record = _advanced(record, log)
        _name_assets(hasher, record, found)
        kind = _KINDS[log.event]
        owner = record.home if kind in ("REQUEST", "CONFIRMED") else record.host
        _check_owner(kind, found.ids[kind], owner, log, signature, found)
        signature, claimed = None, bool(log.args.get("claimed"))
    last = steps[-1]
    settlement = Settlement(record, None, last.block, last.timestamp, claimed)
    return _claimed(hasher, settlement, found)


def _advanced(record: Record, log: Logged) -> Record:
    args = log.args
    match log.event:
        case "Accepted":
            return replace(record, answered_at=args["signedAt"])
        case "Rejected":
            return replace(record, answered_at=args["signedAt"], reason=args["reason"])
        case "Confirmed":
            return replace(record, confirmed_at=args["signedAt"])
        case "Resulted":
            return replace(record, result_at=args["signedAt"], seal=args["seal"])
        case _:
            return record


def _check_owner(
    kind: str, asset: bytes, owner: bytes, log: Logged, signed: Logged | None, found: Findings
) -> None:
    place = f"{kind} of {hex_of(owner)} stands in block {log.block}"
    if signed is None:
        found.proved.append(place)
        found.trusted.append(f"that {hex_of(owner)} sent its {kind}: the contract checked that")
        return
    require(signed.args["id"] == asset, f"the signature before {kind} is another asset's")
    if signed_by(asset, signed.args["signature"], owner):
        found.proved.append(f"{place}, signed by it")
        return
    found.proved.append(place)
    found.trusted.append(
        f"the signature of {kind}: not its owner's key's, so its contract wallet's (ERC-1271),"
        f" asked by the contract in block {log.block}"
    )


def _name_assets(hasher: Hasher, record: Record, found: Findings) -> None:
    """The ids of all assets that the migration has come to."""
    found.ids["REQUEST"] = hasher.request(record)
    if record.reason is not None:
        found.ids["REJECTED"] = hasher.answer(record)
        return
    if record.answered_at:
        found.ids["ACCEPTED"] = hasher.accepted(record)
    if record.confirmed_at:
        found.ids["CONFIRMED"] = hasher.confirmed(record)
    if record.seal is not None:
        found.ids["RESULT"] = hasher.answer(record)


def _claimed(hasher: Hasher, settlement: Settlement, found: Findings) -> Settlement:
    """Names the K1 or K2 that the migration can have, whether or not this settlement claimed it."""
    level, asset = (2, "CONFIRMED") if settlement.record.reason is None else (1, "REJECTED")
    if asset in found.ids:
        found.ids[f"K{level}"] = hasher.kudos(level, found.ids[asset])
    return settlement


def _climb(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    node = leaf
    for sibling in path:
        node = keccak(sibling + node) if index & 1 else keccak(node + sibling)
        index >>= 1
    return node


_KINDS = dict(zip(STEPS, ("REQUEST", "ACCEPTED", "REJECTED", "CONFIRMED", "RESULT"), strict=True))
