"""What an operator runs by hand: chain, deploy, check, serve, key."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ledger.creation import Constants
from ledger.deploying import deploy
from ledger.deployment import Deployment
from ledger.embedded import EmbeddedChain
from ledger.errors import SetupError, UsageError
from ledger.ports import SystemClock, system_entropy
from ledger.reader import Reader
from ledger.reasons import Reason
from ledger.rpc import Rpc
from ledger.types import Address, address_from_hex, hex_of
from node.admission import Question, Verdict, needs_of
from node.identity import create, password_from, unlock
from node.service import ADDRESS_FILE, INDEX
from node.strategy.evidence import View, live_evidence
from node.strategy_file import load_strategy
from node.transport import parse_endpoint

WEI = 10**18
FUNDING = 1_000 * WEI
CANNOT_TELL = 2


def run_chain(data: Path, port: int, chain_id: int, fund: Sequence[Address]) -> int:
    """Runs the embedded chain until SIGINT or SIGTERM."""
    data.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with EmbeddedChain(data / "state.json", port=port, chain_id=chain_id) as chain:
        for address in fund:
            chain.fund(address, FUNDING)
        print(f"chain {chain_id} at {chain.url}; Ctrl-C ends it", flush=True)
        while not stop.wait(1.0):
            if not chain.alive():
                raise SetupError("The chain ended by itself.", hint=f"Its log is {chain.log}.")
    return 0


def deploy_ledger(options: argparse.Namespace) -> int:
    """Creates a ledger and writes its description."""
    if options.out.exists():
        raise UsageError(
            f"{options.out} is there already.", hint="A new ledger gets a new file: choose another."
        )
    rpc = Rpc(options.rpc)
    key = unlock(options.key, password_from(options.password_file))
    deployment = deploy(
        rpc,
        key,
        SystemClock(),
        validators=options.validator,
        threshold=options.threshold or len(options.validator) // 2 + 1,
        constants=Constants(
            **{name: value for name, value in vars(options).items() if name in Constants.__slots__}
        ),
        finality_depth=options.finality_depth,
        finality=options.finality,
        salt=options.salt,
        progress=lambda line: print(line, file=sys.stderr),
    )
    deployment.save(options.out)
    print(f"ledger {hex_of(deployment.contract)} on chain {deployment.chain_id}: {options.out}")
    return 0


def check(home: Address, data: Path, strategy: str) -> int:
    """0 accept, 1 reject, 2 cannot tell; the verdict on standard output, the reason on error."""
    host = _own_address(data)
    with Reader.open(data / INDEX) as reader:
        verdict = judge(reader, home, host, strategy)
    numbers = " ".join(f"{name}={value}" for name, value in verdict.numbers.items())
    word = "accept" if verdict.accept else "reject"
    print(
        f"{word} {verdict.strategy} {numbers} block={verdict.block} data={verdict.freshness.value}"
    )
    print(f"kudos: {verdict.reason.name}: {verdict.reason.text}", file=sys.stderr)
    if verdict.reason == Reason.STALE_LEDGER:
        return CANNOT_TELL
    return 0 if verdict.accept else 1


def judge(reader: Reader, home: Address, host: Address, strategy: str) -> Verdict:
    """A strategy's verdict on a home, from a copy of the ledger alone."""
    clock = SystemClock()
    rules, now = load_strategy(strategy, clock), clock.now()
    evidence = live_evidence(reader, home, host, now, View(), needs_of(rules))
    return rules.decide(Question(home, host, "", evidence, 0, int(now)))


def try_strategy(options: argparse.Namespace) -> int:
    """Prints which past requests a strategy would have answered otherwise."""
    from node.strategy.replay import Summary, replay

    strategy = load_strategy(options.file, SystemClock())
    host = None if options.all else _own_address(options.data)
    summary = Summary()
    with Reader.open(options.data / INDEX) as reader:
        for replayed in replay(reader, strategy, since=options.since, host=host):
            summary.add(replayed)
            if replayed.is_change and summary.changes <= options.show:
                print(replayed.text())
    print(summary.text())
    return 0


def serve(ledger: Path, index: Path, listen: str, rpc_url: str | None = None) -> int:
    """Serves the page until SIGINT or SIGTERM."""
    import uvicorn

    from ledger.desk.app import create_app
    from ledger.proof_bundle import build

    host, port = parse_endpoint(listen)
    prover = partial(build, Rpc(rpc_url)) if rpc_url else None
    app = create_app(index, Deployment.load(ledger), prover=prover)
    print(f"the ledger is at http://{listen}/; Ctrl-C ends it", flush=True)
    # Streams of events never end by themselves: at the end they get a moment, not for ever.
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)
    return 0


def key(action: str, file: Path, password_file: Path | None) -> int:
    """Makes a keystore or shows the address of one; the secret itself is never shown."""
    password = password_from(password_file)
    if action == "new" and not password:
        raise UsageError("The password is empty.", hint="Write one into the password file.")
    made = create(file, password, system_entropy) if action == "new" else unlock(file, password)
    print(hex_of(made.address))
    return 0


def _own_address(data: Path) -> Address:
    """Whose data directory it is: the daemon writes that down at its start."""
    try:
        return address_from_hex((data / ADDRESS_FILE).read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{data} is no node's data directory.", hint="Start `kudos node` with it once."
        ) from error
