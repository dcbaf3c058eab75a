"""What ``kudos run`` and ``kudos plant`` take."""

from __future__ import annotations

from pathlib import Path

from node.arguments import Commands, new_command
from node.wasm_form import DEFAULT_FUEL


def add_run(commands: Commands) -> None:
    command = new_command(
        commands,
        "run",
        "run a WebAssembly module, at another node where one helps; KUDOS_SOCKET names the socket",
        "KUDOS_SOCKET=node-1/socket kudos run --wasm sort.wasm words.txt --out sorted.txt",
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--wasm", type=Path, metavar="FILE", help="the module; see docs/canaries.md")
    which.add_argument(
        "--made",
        type=float,
        metavar="SECONDS",
        help="a module made up for this, that takes about so long on this machine",
    )
    command.add_argument(
        "input", type=Path, nargs="?", metavar="INPUT", help="the module's input (default empty)"
    )
    command.add_argument(
        "--fuel",
        type=int,
        default=DEFAULT_FUEL,
        metavar="N",
        help="instructions after which it is stopped (default %(default)s)",
    )
    command.add_argument("--cpu-seconds", type=int, default=120, metavar="N", help="default 120")
    command.add_argument("--memory-mib", type=int, default=64, metavar="N", help="default 64")
    command.add_argument("--output-kib", type=int, default=1024, metavar="N", help="default 1024")
    command.add_argument("--out", type=Path, metavar="FILE", help="instead of standard output")
    command.add_argument(
        "--plant",
        action="store_true",
        help="the node runs it first, and sends it out later as a canary that it can check",
    )
    command.add_argument(
        "--within",
        type=int,
        default=600,
        metavar="SECONDS",
        help="how much later at most; the moment is drawn (default 600)",
    )


def add_plant(commands: Commands) -> None:
    command = new_command(
        commands,
        "plant",
        "plant a puzzle that the ledger's contract checks; KUDOS_SOCKET names the node's socket",
        "KUDOS_SOCKET=node-1/socket kudos plant dlog 5 --within 600",
    )
    command.add_argument("family", metavar="FAMILY", help="dlog, factor or preimage")
    command.add_argument(
        "seconds", type=float, metavar="SECONDS", help="of work, about, on a machine like this one"
    )
    command.add_argument(
        "--within",
        type=int,
        default=600,
        metavar="SECONDS",
        help="when it goes out, at the latest; the moment is drawn (default 600)",
    )
