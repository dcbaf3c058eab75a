"""What an auditor runs by hand: audit, prove, verify, explore.

What speaks to the chain is imported where it is needed: checking a file needs none of it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from ledger.contract_code import is_our_code
from ledger.errors import ChainError, UsageError
from ledger.ports import SystemClock
from ledger.proof_check import Anchors, Verdict, check, headers_of
from ledger.proof_format import Bundle, ProofRefused, decode, encode
from ledger.proof_rules import ProvenRules
from ledger.types import Address, address_from_hex, hex_of

CANNOT_TELL = 2


def run_audit(options: argparse.Namespace) -> int:
    """Prints what was recomputed and every difference; 0 when there is none. With --watch again
    and again, until Ctrl-C."""
    from ledger.audit_watch import AuditJob, print_outcome, watch
    from ledger.deployment import Deployment
    from ledger.rpc import Rpc
    from node.transport import parse_endpoint

    if options.metrics and not options.watch:
        raise UsageError("--metrics goes with --watch.", hint="Give --watch, too.")
    if options.watch and options.at is not None:
        raise UsageError("--watch follows the chain; --at stands still.", hint="Give one of them.")
    deployment = Deployment.load(options.ledger)
    if options.at is not None and options.at < deployment.deployed_block:
        raise UsageError(
            f"The ledger was deployed in block {deployment.deployed_block}.",
            hint="Audit at that block or a later one.",
        )
    job = AuditJob(Rpc(options.rpc), deployment, options.index, options.at)
    if not options.watch:
        report = job()
        print_outcome(report)
        return 0 if report.ok else 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listen = parse_endpoint(options.metrics) if options.metrics else None
    try:
        watch(job, SystemClock(), interval=options.interval, listen=listen)
    except KeyboardInterrupt:
        print("kudos: stopped", file=sys.stderr)
    return 0


def prove(options: argparse.Namespace) -> int:
    """Writes the proof bundle of one asset or Kudos."""
    from ledger.deployment import Deployment
    from ledger.proof_bundle import build
    from ledger.reader import Reader
    from ledger.rpc import Rpc

    deployment = Deployment.load(options.ledger)
    rpc = Rpc(options.rpc)
    deployment.verify(rpc)
    with Reader.open(options.index, deployment) as reader:
        bundle = build(rpc, reader, options.id)
    options.out.write_bytes(encode(bundle))
    last = headers_of(bundle)[-1]
    print(f"{bundle.kind} {hex_of(bundle.id)}: {options.out}")
    print(f"newest block {last.number}: {hex_of(last.hash)}")
    return 0


def verify(options: argparse.Namespace) -> int:
    """0 the bundle holds, 1 it is refused, 2 cannot tell."""
    if bool(options.rpc) == bool(options.block_hash):
        raise UsageError(
            "A proof is checked against a chain or against a block's hash.",
            hint="Give either --rpc or --block-hash.",
        )
    bundle = decode(_read(options.file))
    try:
        anchors = _asked(bundle, options) if options.rpc else _given(options)
    except ChainError as error:
        print(f"cannot tell: {error.message}", file=sys.stderr)
        print(f"       {error.hint}", file=sys.stderr)
        return CANNOT_TELL
    _print_verdict(bundle, check(bundle, anchors))
    return 0


def explore(options: argparse.Namespace) -> int:
    """Opens the copy in Datasette until Ctrl-C."""
    from ledger.explore import run_datasette
    from node.transport import parse_endpoint

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    host, port = parse_endpoint(options.listen)
    return run_datasette(options.index, host, port)


def _given(options: argparse.Namespace) -> Anchors:
    chain_id, contract = _ledger(options)
    return Anchors(frozenset(options.block_hash), chain_id, contract)


def _asked(bundle: Bundle, options: argparse.Namespace) -> Anchors:
    """What the chain itself says: its id, the hash of each block, the contract's code and rules."""
    from eth_hash.auto import keccak

    from ledger import calls
    from ledger.rpc import Rpc

    rpc = Rpc(options.rpc)
    chain_id, contract = _ledger(options)
    actual = rpc.chain_id()
    if chain_id not in (None, actual):
        raise UsageError(f"{rpc.name} is chain {actual}.", hint="Name the right endpoint.")
    numbers = [header.number for header in headers_of(bundle)]
    hashes = frozenset(header.hash for header in map(rpc.header, numbers) if header is not None)
    code = rpc.code(bundle.contract)
    if not is_our_code(code):
        raise ProofRefused(
            f"The proof does not hold: {hex_of(bundle.contract)} is no ledger of Kudos.",
            hint="Its code is another, or of another version.",
        )
    seats, quorum = calls.validators(), calls.threshold()
    rules = ProvenRules(
        keccak(code),
        seats.decode(rpc.call(bundle.contract, seats.data)),
        quorum.decode(rpc.call(bundle.contract, quorum.data)),
    )
    return Anchors(hashes, actual, contract, rules.code_hash, rules)


def _ledger(options: argparse.Namespace) -> tuple[int | None, Address | None]:
    """Which ledger it must be, as far as it was said: an address, or a deployment file."""
    if options.ledger is None:
        return options.chain_id, None
    try:
        return options.chain_id, address_from_hex(options.ledger)
    except ValueError:
        from ledger.deployment import Deployment

        deployment = Deployment.load(Path(options.ledger))
        return deployment.chain_id, deployment.contract


def _print_verdict(bundle: Bundle, verdict: Verdict) -> None:
    print(f"HOLDS: {verdict.kind} {hex_of(bundle.id)} is {verdict.state}")
    for sentence in verdict.proved:
        print(f"  proved: {sentence}")
    for sentence in verdict.trusted:
        print(f"  taken on trust: {sentence}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Name the file of a proof bundle."
        ) from error
