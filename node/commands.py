"""The subcommands: which there are, and with which status they exit.

0 done · 1 no (a refusal, a difference) · 2 wrong usage · 3 something is missing on this machine
4 the chain · 5 damaged data
"""

from __future__ import annotations

import argparse
import logging
import sys

from ledger.errors import KudosError, UsageError
from node.parser import Handler, make_parser


def run(arguments: list[str]) -> int:
    """Parses and runs one command line; every KudosError becomes a message and an exit status."""
    options = make_parser(_HANDLERS).parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # web3 and its HTTP client would log whole requests, and with them what a URL may hide.
    for noisy in ("web3", "urllib3", "asyncio", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    handler: Handler = options.handler
    try:
        return handler(options)
    except KudosError as error:
        print(f"kudos: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"       {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("kudos: stopped", file=sys.stderr)
        return 130


def _demo(options: argparse.Namespace) -> int:
    from node.demo.run import DemoOptions, run_demo

    external = (options.chain_id, options.deployer)
    if options.rpc and None in external:
        raise UsageError("--rpc needs more.", hint="Give --chain-id and --deployer, too.")
    if not options.rpc and any(external):
        raise UsageError("--chain-id and --deployer go with --rpc.", hint="Give --rpc, too.")
    fields = {name: getattr(options, name) for name in DemoOptions.__dataclass_fields__}
    return run_demo(DemoOptions(**fields))


def _chain(options: argparse.Namespace) -> int:
    from node.operate import run_chain

    return run_chain(options.data, options.port, options.chain_id, options.fund)


def _deploy(options: argparse.Namespace) -> int:
    from node.operate import deploy_ledger

    return deploy_ledger(options)


def _node(options: argparse.Namespace) -> int:
    from node.daemon import run_node

    return run_node(options)


def _agent(options: argparse.Namespace) -> int:
    from node.agent import run_agent

    return run_agent(options)


def _validator(options: argparse.Namespace) -> int:
    if options.action is not None:
        from node.manual_vote import cast_by_hand

        return cast_by_hand(options)
    from node.validator import run_validator

    return run_validator(options)


def _validators(options: argparse.Namespace) -> int:
    from node.validators import run_validators

    return run_validators(options)


def _test_validators(options: argparse.Namespace) -> int:
    from node.tester import run_tester

    return run_tester(options)


def _run(options: argparse.Namespace) -> int:
    from node.wasm_command import run_module

    return run_module(options)


def _plant(options: argparse.Namespace) -> int:
    from node.plant_command import plant_puzzle

    return plant_puzzle(options)


def _check(options: argparse.Namespace) -> int:
    from node.operate import check

    return check(options.address, options.data, options.strategy)


def _strategy(options: argparse.Namespace) -> int:
    from node.operate import try_strategy

    return try_strategy(options)


def _audit(options: argparse.Namespace) -> int:
    from node.auditing import run_audit

    return run_audit(options)


def _prove(options: argparse.Namespace) -> int:
    from node.auditing import prove

    return prove(options)


def _verify(options: argparse.Namespace) -> int:
    from node.auditing import verify

    return verify(options)


def _explore(options: argparse.Namespace) -> int:
    from node.auditing import explore

    return explore(options)


def _serve(options: argparse.Namespace) -> int:
    from node.operate import serve

    return serve(options.ledger, options.index, options.listen, options.rpc)


def _key(options: argparse.Namespace) -> int:
    from node.operate import key

    return key(options.action, options.file, options.password_file)


def _cc(options: argparse.Namespace) -> int:
    """Never reached: ``node.cli`` takes `kudos cc` before anything is parsed."""
    raise UsageError(
        "`kudos cc` takes the compiler's own arguments, right after it.",
        hint="For example: kudos --help, or make CC='kudos cc'.",
    )


_HANDLERS: dict[str, Handler] = {
    "demo": _demo,
    "chain": _chain,
    "deploy": _deploy,
    "node": _node,
    "agent": _agent,
    "validator": _validator,
    "validators": _validators,
    "test-validators": _test_validators,
    "cc": _cc,
    "run": _run,
    "plant": _plant,
    "check": _check,
    "strategy": _strategy,
    "audit": _audit,
    "prove": _prove,
    "verify": _verify,
    "explore": _explore,
    "serve": _serve,
    "key": _key,
}
