"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from ledger.types import Address, address_from_hex


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
    command.add_argument(
        "--i-accept-running-strangers-code-unsandboxed",
        action="store_true",
        dest="unsandboxed",
        help="run without bubblewrap; do not",
    )


def address(text: str) -> Address:
    try:
        return address_from_hex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: {error}") from error


def moment(text: str) -> int:
    """Unix seconds of an ISO date or time; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date or time: {error}") from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
