"""What ``kudos validators`` takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from node.arguments import (
    Commands,
    address,
    daemon_options,
    key_options,
    new_command,
    rpc_option,
)


def add_validators(commands: Commands) -> None:
    command = new_command(
        commands,
        "validators",
        "who the validators are; and how they themselves change that, m of n and after a delay",
        "kudos validators propose rotate 0xOLD… 0xNEW… --ledger ledger.json "
        "--rpc http://127.0.0.1:8545 --key v.json --password-file pw",
    )
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    _place(actions.add_parser("list", help="the validators by seat, and the threshold"))
    status = _place(actions.add_parser("status", help="how the proposals stand"))
    status.add_argument("proposal", nargs="?", type=int, metavar="N", help="only this one")
    _add_propose(actions)
    for name, what in (
        ("approve", "approve a proposal"),
        ("withdraw", "ask to withdraw a proposal"),
        ("execute", "have an approved proposal take effect after its delay; anybody may"),
    ):
        vote = _signed(actions.add_parser(name, help=what))
        vote.add_argument("proposal", type=int, metavar="N")


def add_test_validators(commands: Commands) -> None:
    command = new_command(
        commands,
        "test-validators",
        "see whether validators look: claim a canary that is no run's, show it once it is decided",
        "kudos test-validators --ledger ledger.json --rpc http://127.0.0.1:8545 --key home.json "
        "--password-file pw --data tester --host-key node.json --host-password-file pw "
        "--host-data node-1 -- cc -O2 -c main.c",
    )
    daemon_options(command)
    command.add_argument(
        "--host-key",
        type=Path,
        required=True,
        metavar="KEYSTORE",
        help="of a node of yours, which runs; --key is of the home, which no node runs with",
    )
    command.add_argument("--host-password-file", type=Path, metavar="FILE")
    command.add_argument(
        "--host-data", type=Path, required=True, metavar="DIR", help="where that node runs"
    )
    command.add_argument(
        "compile",
        nargs="*",
        metavar="ARG",
        help="the compile to claim, with its compiler; without one, go on with earlier tests",
    )


def _add_propose(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    propose = actions.add_parser("propose", help="propose a change, and approve it")
    changes = propose.add_subparsers(dest="change", required=True, metavar="CHANGE")
    for name, what in (("add", "one more validator"), ("remove", "one validator less")):
        change = _signed(changes.add_parser(name, help=what))
        change.add_argument("validator", type=address, metavar="ADDRESS")
        change.add_argument(
            "--threshold",
            type=int,
            metavar="M",
            help="approvals needed afterwards (default: as now, or the smallest majority)",
        )
    rotate = _signed(changes.add_parser("rotate", help="another validator in a validator's seat"))
    rotate.add_argument("old", type=address, metavar="OLD")
    rotate.add_argument("new", type=address, metavar="NEW")
    threshold = _signed(changes.add_parser("threshold", help="another threshold"))
    threshold.add_argument("threshold", type=int, metavar="M")


def _signed(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    key_options(_place(command))
    return command


def _place(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument(
        "--ledger", type=Path, required=True, metavar="FILE", help="as `kudos deploy` wrote it"
    )
    rpc_option(command)
    return command
