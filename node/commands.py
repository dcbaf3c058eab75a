"""The subcommands: what they take, what they print, and with which status they exit.

0 done · 1 no (a refusal, a difference) · 2 wrong usage · 3 something is missing on this machine
4 the chain · 5 damaged data
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from ledger.errors import KudosError, UsageError
from ledger.types import Address, address_from_hex

Handler = Callable[[argparse.Namespace], int]


def run(arguments: list[str]) -> int:
    """Parses and runs one command line; every KudosError becomes a message and an exit status."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kudos",
        description="A reputation ledger for computers that run each other's processes.",
        epilog="`kudos COMMAND --help` explains a command and gives an example.",
    )
    parser.add_argument("--verbose", action="store_true", help="log more to standard error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        *(_add_demo, _add_chain, _add_deploy, _add_node, _add_validator, _add_cc, _add_check),
        *(_add_audit, _add_serve, _add_key),
    ):
        add(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    example: str,
    handler: Handler,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(handler=handler)
    return command


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "demo",
        "three nodes share a real build while the ledger decides who deserves help",
        "kudos demo --seed 7 --report report.json",
        _demo,
    )
    command.add_argument("--data", type=Path, default=Path(".kudos/demo"), metavar="DIR",
                         help="where everything goes; emptied first (default %(default)s)")  # fmt: skip
    command.add_argument("--seed", type=int, default=1, help="of the canary draws (default 1)")
    command.add_argument("--jobs", type=int, default=2, metavar="N",
                         help="make -jN at each fair node (default 2)")  # fmt: skip
    command.add_argument("--source", type=Path, metavar="DIR",
                         help="a C project of your own instead of redis")  # fmt: skip
    command.add_argument("--report", type=Path, metavar="FILE", help="write the report as JSON")
    command.add_argument("--stay", action="store_true",
                         help="keep chain and ledger page running at the end, until Ctrl-C")  # fmt: skip
    command.add_argument(
        "--rpc", metavar="URL", help="an existing chain instead of the embedded one"
    )
    command.add_argument("--chain-id", type=int, help="the chain id that --rpc must answer")
    command.add_argument("--deployer", type=Path, metavar="KEYSTORE", help="pays on that chain")
    command.add_argument("--deployer-password-file", type=Path, metavar="FILE")
    command.add_argument("--finality-depth", type=int, metavar="BLOCKS",
                         help="blocks after which nothing is rewritten (default 4)")  # fmt: skip


def _add_chain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "chain",
        "run the embedded chain (Anvil, 1 s blocks) until Ctrl-C",
        "kudos chain --data chain --port 8545",
        _chain,
    )
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="chain state and log"
    )
    command.add_argument("--port", type=int, default=8545, help="on loopback (default 8545)")
    command.add_argument("--chain-id", type=int, default=31_337, help="default 31337")
    command.add_argument("--fund", type=_address, action="append", default=[], metavar="ADDRESS",
                         help="give this address 1000 ether (again for more)")  # fmt: skip


def _add_deploy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "deploy",
        "put a new ledger on a chain and write its description",
        "kudos deploy --rpc http://127.0.0.1:8545 --key deployer.json --password-file pw "
        "--validator 0xA… --validator 0xB… --validator 0xC… --out ledger.json",
        _deploy,
    )
    _rpc_option(command)
    _key_options(command)
    command.add_argument("--validator", type=_address, action="append", required=True,
                         metavar="ADDRESS", help="one of the validators (again for more)")  # fmt: skip
    command.add_argument("--threshold", type=int, metavar="M",
                         help="approvals needed (default: the smallest majority)")  # fmt: skip
    command.add_argument("--epoch-seconds", type=int, default=86_400, help="default one day")
    command.add_argument("--k1-cap", type=int, default=100, metavar="N",
                         help="K1 claims per host and epoch (default 100)")  # fmt: skip
    command.add_argument("--finality-depth", type=int, default=4, metavar="BLOCKS",
                         help="for chains without finality (default 4)")  # fmt: skip
    command.add_argument("--finality", choices=("depth", "chain"), default="depth",
                         help="count blocks, or ask the chain (default depth)")  # fmt: skip
    command.add_argument("--out", type=Path, required=True, metavar="FILE")


def _add_node(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "node",
        "run a node: send compiles out, take tasks in, follow the ledger",
        "kudos node --ledger ledger.json --rpc http://127.0.0.1:8545 --key node.json "
        "--password-file pw --data node-1 --listen 127.0.0.1:7701 --peer 127.0.0.1:7702",
        _node,
    )
    _daemon_options(command)
    command.add_argument("--listen", required=True, metavar="HOST:PORT", help="where peers connect")
    command.add_argument("--strategy", default="thesis", help="whom to help (default thesis)")
    command.add_argument("--slots", type=int, default=1, help="tasks run at once (default 1)")
    command.add_argument("--waiting", type=int, default=32, help="tasks taken on beyond that")
    command.add_argument("--canaries", choices=("independent", "thesis"), default="independent",
                         help="the schedule of planted canaries (default independent)")  # fmt: skip
    command.add_argument("--canary-seed", type=int, metavar="N",
                         help="a known seed for the draws; for demonstrations only")  # fmt: skip


def _add_validator(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "validator",
        "run a validator: check every claim, run canaries again, vote",
        "kudos validator --ledger ledger.json --rpc http://127.0.0.1:8545 --key v.json "
        "--password-file pw --data validator-1 --peer 127.0.0.1:7701 --peer 127.0.0.1:7702",
        _validator,
    )
    _daemon_options(command)


def _add_cc(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # Only for the help: `kudos cc` itself never comes here (node.cli).
    command = _command(
        commands,
        "cc",
        "compile like cc, at another node where one helps; KUDOS_SOCKET names the node's socket",
        "KUDOS_SOCKET=node-1/socket make -j4 CC='kudos cc'",
        lambda _: 2,
    )
    command.add_argument("arguments", nargs="*", metavar="ARG", help="what you would give to cc")


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "check",
        "say whether a node's tasks would be taken: status 0 accept, 1 reject, 2 cannot tell",
        "kudos check 0xA… --data node-1",
        _check,
    )
    command.add_argument("address", type=_address, metavar="ADDRESS", help="the home that asks")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="the node's own")
    command.add_argument("--strategy", default="thesis", help="default thesis")


def _add_audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "audit",
        "recompute all Kudos from raw logs and compare: status 0 agrees, 1 differs",
        "kudos audit --ledger ledger.json --rpc http://127.0.0.1:8545 --index node-1/index.db",
        _audit,
    )
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    _rpc_option(command)
    command.add_argument("--index", type=Path, metavar="FILE", help="compare this copy, too")
    command.add_argument("--block", type=int, metavar="N", help="as of this block (default: head)")


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "serve",
        "show a node's copy of the ledger as a page and as JSON",
        "kudos serve --ledger ledger.json --index node-1/index.db --listen 127.0.0.1:8080",
        _serve,
    )
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    command.add_argument("--index", type=Path, required=True, metavar="FILE")
    command.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")


def _add_key(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(
        commands,
        "key",
        "make a keystore (V3), or show the address of one",
        "kudos key new node.json --password-file pw",
        _key,
    )
    command.add_argument("action", choices=("new", "show"))
    command.add_argument("file", type=Path)
    command.add_argument("--password-file", type=Path, metavar="FILE",
                         help="its first line (chmod 600); asked for otherwise")  # fmt: skip


def _rpc_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rpc", required=True, metavar="URL", help="a JSON-RPC endpoint")


def _key_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--key", type=Path, required=True, metavar="KEYSTORE")
    command.add_argument("--password-file", type=Path, metavar="FILE",
                         help="its first line (chmod 600); asked for otherwise")  # fmt: skip


def _daemon_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE",
                         help="as `kudos deploy` wrote it")  # fmt: skip
    _rpc_option(command)
    _key_options(command)
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--peer", action="append", default=[], metavar="[0xADDRESS@]HOST:PORT",
                         help="a node to talk to (again for more)")  # fmt: skip
    command.add_argument("--i-accept-running-strangers-code-unsandboxed", action="store_true",
                         dest="unsandboxed", help="run without bubblewrap; do not")  # fmt: skip


def _address(text: str) -> Address:
    try:
        return address_from_hex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: {error}") from error


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


def _validator(options: argparse.Namespace) -> int:
    from node.validator import run_validator

    return run_validator(options)


def _check(options: argparse.Namespace) -> int:
    from node.operate import check

    return check(options.address, options.data, options.strategy)


def _audit(options: argparse.Namespace) -> int:
    from node.operate import run_audit

    return run_audit(options.ledger, options.rpc, options.index, options.block)


def _serve(options: argparse.Namespace) -> int:
    from node.operate import serve

    return serve(options.ledger, options.index, options.listen)


def _key(options: argparse.Namespace) -> int:
    from node.operate import key

    return key(options.action, options.file, options.password_file)
