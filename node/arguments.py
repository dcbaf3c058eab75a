"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from ledger.creation import Constants
from ledger.types import Address, Digest, address_from_hex

MAX_TIMES = 20

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def new_command(
    commands: Commands,
    name: str,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command


def rpc_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rpc", required=True, metavar="URL", help="a JSON-RPC endpoint")


def key_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--key", type=Path, required=True, metavar="KEYSTORE")
    password_option(command)


def password_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="its first line (chmod 600); asked for otherwise",
    )


def daemon_options(command: argparse.ArgumentParser) -> None:
    """Of a daemon that runs tasks."""
    footing_options(command)
    command.add_argument(
        "--i-accept-running-strangers-code-unsandboxed",
        action="store_true",
        dest="unsandboxed",
        help="run without bubblewrap; do not",
    )


def claim_options(command: argparse.ArgumentParser) -> None:
    """Of a daemon that has claims of its own."""
    command.add_argument(
        "--claim-again",
        type=times,
        default=3,
        metavar="N",
        help="how often to make a claim again that no quorum decides in time (default 3; 0 never)",
    )


def footing_options(command: argparse.ArgumentParser) -> None:
    """Of every daemon."""
    command.add_argument(
        "--ledger", type=Path, required=True, metavar="FILE", help="as `kudos deploy` wrote it"
    )
    rpc_option(command)
    key_options(command)
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--rpc-wait",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="how long to wait for a chain that does not answer yet (default 15)",
    )
    command.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="[0xADDRESS@]HOST:PORT",
        help="a node to talk to (again for more)",
    )


def constants_options(command: argparse.ArgumentParser) -> None:
    """What a new ledger is created with, and can never change; named as ``creation.Constants``."""
    usual = Constants()
    for option, name, unit, meaning in _CONSTANTS:
        default = getattr(usual, name)
        command.add_argument(
            option,
            dest=name,
            type=int,
            default=default,
            metavar=unit,
            help=f"{meaning} (default {default})",
        )


_CONSTANTS = (
    ("--epoch-seconds", "epoch_seconds", "S", "the length of an epoch"),
    ("--k1-cap", "k1_per_host_and_epoch", "N", "K1 claims per host and epoch"),
    ("--k2-cap", "k2_per_pair_and_epoch", "N", "K2 claims per home, host and epoch; 0: no cap"),
    ("--queue-delay", "queue_delay_seconds", "S", "an approved change of the validators waits"),
    ("--round-seconds", "round_seconds", "S", "a round of committed votes on K3"),
    ("--draw-rate", "draw_rate", "N", "of 65536 results are drawn as canaries; 0: none"),
    ("--puzzle-difficulty", "puzzle_difficulty", "BITS", "the least of an open puzzle"),
    ("--puzzles", "puzzles_per_host", "N", "open puzzles that a host may solve in its life"),
    ("--beacon-period", "beacon_period_seconds", "S", "the length of a period of the beacon"),
    ("--beacon-reveal", "beacon_reveal_seconds", "S", "time for its secrets after a period"),
)


def by_hand_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action",
        nargs="?",
        choices=("approve", "refuse", "reveal"),
        help="vote on these ids now, once, instead of running; open the votes on K3 that are due",
    )
    command.add_argument(
        "ids", nargs="*", type=digest, metavar="ID", help="the root of a batch, or a claim's id"
    )
    command.add_argument("--reason", metavar="NAME", help="why it is refused: REFUSE_RESULT, …")
    command.add_argument(
        "--rest",
        choices=("approve", "refuse"),
        help="what the other claims of the same batch get: a ballot covers all of them",
    )
    command.add_argument(
        "--manual", action="store_true", help="follow the ledger, but leave the votes to a human"
    )


def address(text: str) -> Address:
    try:
        return address_from_hex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: {error}") from error


def digest(text: str) -> Digest:
    """32 bytes on the command line."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no hash: {error}") from error
    if len(raw) != 32:
        raise argparse.ArgumentTypeError(f"{text!r} has {len(raw)} bytes, a hash has 32")
    return Digest(raw)


def moment(text: str) -> int:
    """Unix seconds of an ISO date or time; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date or time: {error}") from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def times(text: str) -> int:
    """How often: a small number from 0 on."""
    if not text.isdecimal() or int(text) > MAX_TIMES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {MAX_TIMES}")
    return int(text)
