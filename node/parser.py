"""What the subcommands take, with help and an example each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from node.arguments import (
    Commands,
    address,
    by_hand_options,
    claim_options,
    constants_options,
    daemon_options,
    digest,
    key_options,
    moment,
    password_option,
    rpc_option,
)
from node.arguments import new_command as _command
from node.parser_agent import add_agent
from node.parser_audit import add_audit, add_explore, add_prove, add_verify
from node.parser_run import add_plant, add_run
from node.parser_validators import add_test_validators, add_validators

Handler = Callable[[argparse.Namespace], int]


def make_parser(handlers: Mapping[str, Handler]) -> argparse.ArgumentParser:
    """The whole command line; each subcommand leads to the handler of its name."""
    parser = argparse.ArgumentParser(
        prog="kudos",
        description="A reputation ledger for computers that run each other's processes.",
        epilog="`kudos COMMAND --help` explains a command and gives an example.",
    )
    parser.add_argument("--verbose", action="store_true", help="log more to standard error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        *(_add_demo, _add_chain, _add_deploy, _add_node, add_agent, _add_cc, add_run),
        *(add_plant, _add_validator, add_validators, add_test_validators),
        *(
            _add_check,
            _add_strategy,
            add_audit,
            add_prove,
            add_verify,
            add_explore,
            _add_serve,
            _add_key,
        ),
    ):
        add(commands)
    for name, command in commands.choices.items():
        command.set_defaults(handler=handlers[name])
    return parser


def _add_demo(commands: Commands) -> None:
    command = _command(
        commands,
        "demo",
        "three nodes share a real build while the ledger decides who deserves help",
        "kudos demo --seed 7 --report report.json",
    )
    command.add_argument(
        "--data",
        type=Path,
        default=Path(".kudos/demo"),
        metavar="DIR",
        help="where everything goes; emptied first (default %(default)s)",
    )
    command.add_argument(
        "--seed", type=int, default=1, help="of nodes' keys and canary draws (default 1)"
    )
    command.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="make -jN at each node (default 2)"
    )
    command.add_argument(
        "--source", type=Path, metavar="DIR", help="a C project of your own instead of redis"
    )
    command.add_argument("--report", type=Path, metavar="FILE", help="write the report as JSON")
    command.add_argument(
        "--stay",
        action="store_true",
        help="keep chain and ledger page running at the end, until Ctrl-C",
    )
    command.add_argument(
        "--rpc", metavar="URL", help="an existing chain instead of the embedded one"
    )
    command.add_argument("--chain-id", type=int, help="the chain id that --rpc must answer")
    command.add_argument("--deployer", type=Path, metavar="KEYSTORE", help="pays on that chain")
    command.add_argument("--deployer-password-file", type=Path, metavar="FILE")
    command.add_argument(
        "--finality-depth",
        type=int,
        metavar="BLOCKS",
        help="blocks after which nothing is rewritten (default 4)",
    )
    command.add_argument(
        "--canaries",
        choices=("planted", "drawn", "both"),
        default="planted",
        help="who chooses them: homes, the validators' beacon afterwards, or both"
        " (default planted; drawn ones take a minute longer)",
    )


def _add_chain(commands: Commands) -> None:
    command = _command(
        commands,
        "chain",
        "run the embedded chain (Anvil, 1 s blocks) until Ctrl-C",
        "kudos chain --data chain --port 8545",
    )
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="chain state and log"
    )
    command.add_argument("--port", type=int, default=8545, help="on loopback (default 8545)")
    command.add_argument("--chain-id", type=int, default=31_337, help="default 31337")
    command.add_argument(
        "--fund",
        type=address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="give this address 1000 ether (again for more)",
    )


def _add_deploy(commands: Commands) -> None:
    command = _command(
        commands,
        "deploy",
        "put a new ledger on a chain and write its description",
        "kudos deploy --rpc http://127.0.0.1:8545 --key deployer.json --password-file pw "
        "--validator 0xA… --validator 0xB… --validator 0xC… --out ledger.json",
    )
    rpc_option(command)
    key_options(command)
    command.add_argument(
        "--validator",
        type=address,
        action="append",
        required=True,
        metavar="ADDRESS",
        help="one of the validators (again for more)",
    )
    command.add_argument(
        "--threshold",
        type=int,
        metavar="M",
        help="approvals needed (default: the smallest majority)",
    )
    constants_options(command)
    command.add_argument(
        "--salt",
        type=digest,
        metavar="HEX",
        help="32 bytes: deploy by CREATE2, to an address that depends on them and on the values",
    )
    command.add_argument(
        "--finality-depth",
        type=int,
        default=4,
        metavar="BLOCKS",
        help="for chains without finality (default 4)",
    )
    command.add_argument(
        "--finality",
        choices=("depth", "chain"),
        default="depth",
        help="count blocks, or ask the chain (default depth)",
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE")


def _add_node(commands: Commands) -> None:
    command = _command(
        commands,
        "node",
        "run a node: send compiles out, take tasks in, follow the ledger",
        "kudos node --ledger ledger.json --rpc http://127.0.0.1:8545 --key node.json "
        "--password-file pw --data node-1 --listen 127.0.0.1:7701 --peer 127.0.0.1:7702",
    )
    daemon_options(command)
    claim_options(command)
    command.add_argument("--listen", required=True, metavar="HOST:PORT", help="where peers connect")
    command.add_argument(
        "--strategy",
        default="thesis",
        metavar="NAME|FILE.toml",
        help="whom to help (default thesis)",
    )
    command.add_argument("--slots", type=int, default=1, help="tasks run at once (default 1)")
    command.add_argument("--waiting", type=int, default=32, help="tasks taken on beyond that")
    command.add_argument(
        "--canaries",
        choices=("independent", "thesis", "none"),
        default="independent",
        help="how canaries are planted (default independent); none only where the ledger draws",
    )
    command.add_argument(
        "--canary-seed",
        type=int,
        metavar="N",
        help="a known seed for the draws; for demonstrations only",
    )


def _add_validator(commands: Commands) -> None:
    command = _command(
        commands,
        "validator",
        "run a validator: check every claim, run canaries again, vote",
        "kudos validator --ledger ledger.json --rpc http://127.0.0.1:8545 --key v.json "
        "--password-file pw --data validator-1 --peer 127.0.0.1:7701 --peer 127.0.0.1:7702",
    )
    daemon_options(command)
    by_hand_options(command)


def _add_cc(commands: Commands) -> None:
    # Only for the help: `kudos cc` itself never comes here (node.cli).
    command = _command(
        commands,
        "cc",
        "compile like cc, at another node where one helps; KUDOS_SOCKET names the node's socket",
        "KUDOS_SOCKET=node-1/socket make -j4 CC='kudos cc'",
    )
    command.add_argument("arguments", nargs="*", metavar="ARG", help="what you would give to cc")


def _add_check(commands: Commands) -> None:
    command = _command(
        commands,
        "check",
        "say whether a node's tasks would be taken: status 0 accept, 1 reject, 2 cannot tell",
        "kudos check 0xA… --data node-1",
    )
    command.add_argument("address", type=address, metavar="ADDRESS", help="the home that asks")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="the node's own")
    command.add_argument(
        "--strategy", default="thesis", metavar="NAME|FILE.toml", help="default thesis"
    )


def _add_strategy(commands: Commands) -> None:
    command = _command(
        commands,
        "strategy",
        "replay the ledger's past requests under a strategy and print what would have changed",
        "kudos strategy try careful.toml --data node-1 --since 2030-01-31",
    )
    command.add_argument("action", choices=("try",))
    command.add_argument("file", metavar="FILE", help="a TOML file, or an installed strategy")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="the node's own")
    command.add_argument(
        "--since", type=moment, default=0, metavar="TIME", help="a date, or a time with its zone"
    )
    command.add_argument(
        "--all", action="store_true", help="requests to any host, not only to this node"
    )
    command.add_argument(
        "--show", type=int, default=20, metavar="N", help="changes to list (default 20)"
    )


def _add_serve(commands: Commands) -> None:
    command = _command(
        commands,
        "serve",
        "show a node's copy of the ledger as a page and as JSON",
        "kudos serve --ledger ledger.json --index node-1/index.db --listen 127.0.0.1:8080",
    )
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    command.add_argument("--index", type=Path, required=True, metavar="FILE")
    command.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    command.add_argument("--rpc", metavar="URL", help="a chain, to give proof bundles, too")


def _add_key(commands: Commands) -> None:
    command = _command(
        commands,
        "key",
        "make a keystore (V3), or show the address of one",
        "kudos key new node.json --password-file pw",
    )
    command.add_argument("action", choices=("new", "show"))
    command.add_argument("file", type=Path)
    password_option(command)
