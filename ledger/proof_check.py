"""Checks a proof bundle against block hashes that its reader trusts, and nothing else. Pure.

    trusted hash ─▶ header ─▶ receiptsRoot ─▶ receipt ─▶ log ─▶ ids, signatures, path, votes
                        └───▶ stateRoot ────▶ contracts ─▶ their code, and the validators

Nothing here comes from the indexer; what cannot be proven is said in the verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ledger.audit_logs import Logged, decode_log
from ledger.contracts import contracts_of
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.proof_block import ProvenHeader, read_header, read_receipt, receipt_key
from ledger.proof_format import Bundle, LogProof, ProofRefused
from ledger.proof_parts import check_parts
from ledger.proof_rules import ProvenRules, read_rules
from ledger.proof_story import Story
from ledger.proof_trie import BrokenProof, value_at
from ledger.types import Address, BlockNumber, TxHash, hex_of

MAX_INDEX = 1 << 32


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the reader trusts: hashes of blocks, and which ledger it is, where that is known.

    ``rules`` are what an endpoint says of the contract, for bundles that do not prove it.
    """

    blocks: Collection[bytes]
    chain_id: int | None = None
    contract: Address | None = None
    code_hash: bytes | None = None
    rules: ProvenRules | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bundle proves, and what remains to be believed."""

    kind: str
    state: str
    proved: tuple[str, ...]
    trusted: tuple[str, ...]


def check(bundle: Bundle, anchors: Anchors) -> Verdict:
    """The verdict; ProofRefused with the reason when the bundle does not hold."""
    try:
        return _check(bundle, anchors)
    except (BrokenProof, ChainError, OverflowError) as error:
        reason = error.message if isinstance(error, ChainError) else f"{error}."
        raise ProofRefused(
            f"The proof does not hold: {reason}",
            hint="Do not believe what it says; ask for another one, and say where it came from.",
        ) from error


def headers_of(bundle: Bundle) -> list[ProvenHeader]:
    """The blocks that the bundle speaks of, by its own word; ProofRefused when they are none."""
    try:
        return [read_header(raw) for raw in bundle.headers]
    except BrokenProof as error:
        raise ProofRefused(f"The proof does not hold: {error}.", hint="Ask for another.") from error


def _check(bundle: Bundle, anchors: Anchors) -> Verdict:
    _check_identity(bundle, anchors)
    headers = _trusted_headers(bundle, anchors.blocks)
    places = [(log.block, log.tx, log.log) for log in bundle.logs]
    if any(after <= before for before, after in pairwise(places)):
        raise BrokenProof("the logs are repeated or out of order")
    if not places or not all(places[0][0] <= number <= places[-1][0] for number in headers):
        raise BrokenProof("there are blocks before the first log or after the last one")
    proven = [_proven_log(bundle, log, headers) for log in bundle.logs]
    logs = [logged for logged, _ in proven]
    loggers = [logger for _, logger in proven]
    rules = _rules(bundle, headers[bundle.logs[-1].block], anchors, loggers)
    story = Story(bundle, logs)
    state = story.state(rules)
    return Verdict(bundle.kind, state, *_sentences(bundle, anchors, headers, rules, story))


def _check_identity(bundle: Bundle, anchors: Anchors) -> None:
    if anchors.chain_id not in (None, bundle.chain_id):
        raise BrokenProof(f"it is about chain {bundle.chain_id}, not {anchors.chain_id}")
    if anchors.contract not in (None, bundle.contract):
        raise BrokenProof(f"it is about the contract {hex_of(bundle.contract)}")


def _trusted_headers(bundle: Bundle, trusted: Collection[bytes]) -> Mapping[int, ProvenHeader]:
    """The headers by number: each is trusted itself, or the parent of one that is."""
    headers = [read_header(raw) for raw in bundle.headers]
    later: ProvenHeader | None = None
    for header in reversed(headers):
        linked = later is not None and later.parent == header.hash
        if not linked and header.hash not in trusted:
            raise BrokenProof(
                f"block {header.number} with hash {hex_of(header.hash)} is none that you trust"
            )
        if later is not None and later.number <= header.number:
            raise BrokenProof("the headers are out of order")
        later = header
    return {header.number: header for header in headers}


def _proven_log(
    bundle: Bundle, proof: LogProof, headers: Mapping[int, ProvenHeader]
) -> tuple[Logged, Address]:
    """One log, and which contract's it is."""
    header = headers.get(proof.block)
    if header is None or not 0 <= proof.tx < MAX_INDEX:
        raise BrokenProof(f"there is no header of block {proof.block}")
    receipt = read_receipt(value_at(header.receipts_root, receipt_key(proof.tx), proof.proof))
    if not receipt.succeeded or not 0 <= proof.log < len(receipt.logs):
        raise BrokenProof(f"transaction {proof.tx} of block {proof.block} has no such log")
    log = receipt.logs[proof.log]
    role = contracts_of(bundle.contract).role(log.address)
    if role is None:
        raise BrokenProof("a log is another contract's")
    number, tx = BlockNumber(proof.block), TxHash(b"")
    raw = RawLog(log.address, log.topics, log.data, number, header.hash, tx, proof.log)
    logged = decode_log(raw, role, header.timestamp)
    if logged.event != proof.event:
        raise BrokenProof(f"a log is {logged.event}, not {proof.event}")
    return logged, log.address


def _rules(
    bundle: Bundle, header: ProvenHeader, anchors: Anchors, loggers: Collection[Address]
) -> ProvenRules | None:
    if bundle.account is None:
        if bundle.parts:
            raise BrokenProof("it proves the code of satellites and not of the ledger")
        return anchors.rules
    rules = read_rules(bundle.contract, header, bundle.account)
    if anchors.code_hash not in (None, rules.code_hash):
        raise BrokenProof("the contract's code is not the one that you expect")
    check_parts(bundle, bundle.account, header, rules, loggers)
    return rules


def _sentences(
    bundle: Bundle,
    anchors: Anchors,
    headers: Mapping[int, ProvenHeader],
    rules: ProvenRules | None,
    story: Story,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    used = ", ".join(str(number) for number in sorted({log.block for log in bundle.logs}))
    proved = [
        f"ledger {hex_of(bundle.contract)} and its parts logged all of it, in blocks {used}",
        *story.proved,
    ]
    trusted = [f"that block {max(headers)} is, and stays, part of chain {bundle.chain_id}"]
    if anchors.contract is None:
        trusted.append("that this contract is the ledger that you mean")
    if rules is None:
        trusted.append("that the contract's code is that of Kudos")
    elif bundle.account is None:
        trusted.append("the contract's code, its validators and threshold: by the endpoint's word")
    else:
        shown = ", ".join(["the ledger", *(part.part for part in bundle.parts)])
        proved += [
            f"the contract's code ({hex_of(rules.code_hash)}) is that of Kudos",
            f"so is that of all that logged it ({shown}), with the constants of this ledger; all"
            " its satellites were created from the code of Kudos",
        ]
        trusted.append("that the ledger itself was created by the constructor of Kudos")
    if bundle.account is None and any(log.event in _BY_SATELLITES for log in bundle.logs):
        trusted.append("the code of the ledger's satellites: it is not in this bundle")
    return tuple(proved), (*trusted, *story.trusted)


_BY_SATELLITES = frozenset(
    {
        *("BeaconKnown", "CanariesClaimed", "ClaimDecided", "ClaimVoted", "ClaimedAgain"),
        *("PuzzleSolved", "Receipted", "VotesCommitted"),
    }
)
"""Events of a proof that do not come from the ledger itself."""
