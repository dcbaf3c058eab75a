"""What the auditor's subcommands take."""

from __future__ import annotations

from pathlib import Path

from node.arguments import Commands, digest, new_command, rpc_option


def add_audit(commands: Commands) -> None:
    command = new_command(
        commands,
        "audit",
        "recompute all Kudos from raw logs and compare: status 0 agrees, 1 differs",
        "kudos audit --ledger ledger.json --rpc http://127.0.0.1:8545 --index node-1/index.db",
    )
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    rpc_option(command)
    command.add_argument(
        "--index", type=Path, metavar="FILE", help="compare this copy, too, and check its digests"
    )
    command.add_argument(
        "--at", "--block", type=int, metavar="BLOCK", help="as of this block (default: head)"
    )
    command.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")
    command.add_argument(
        "--interval", type=float, default=60.0, metavar="S", help="seconds between (default 60)"
    )
    command.add_argument(
        "--metrics", metavar="HOST:PORT", help="serve the outcome to Prometheus; with --watch"
    )


def add_prove(commands: Commands) -> None:
    command = new_command(
        commands,
        "prove",
        "write the proof bundle of one asset or Kudos, for `kudos verify`",
        "kudos prove 0x1f… --ledger ledger.json --rpc http://127.0.0.1:8545 "
        "--index node-1/index.db --out proof.json",
    )
    command.add_argument("id", type=digest, metavar="ID", help="of an asset or Kudos, 32 bytes")
    command.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    rpc_option(command)
    command.add_argument("--index", type=Path, required=True, metavar="FILE")
    command.add_argument("--out", type=Path, required=True, metavar="FILE")


def add_verify(commands: Commands) -> None:
    command = new_command(
        commands,
        "verify",
        "check a proof bundle: status 0 holds, 1 refused, 2 cannot tell",
        "kudos verify proof.json --block-hash 0x5e… --ledger 0xA… --chain-id 1",
    )
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--rpc", metavar="URL", help="ask this chain for block and code hashes")
    command.add_argument(
        "--block-hash",
        type=digest,
        action="append",
        default=[],
        metavar="0x…",
        help="offline: a block that you trust, usually the newest of the bundle (again for more)",
    )
    command.add_argument("--ledger", metavar="ADDRESS|FILE", help="the ledger that it must be")
    command.add_argument("--chain-id", type=int, metavar="N", help="the chain that it must be on")


def add_explore(commands: Commands) -> None:
    command = new_command(
        commands,
        "explore",
        "open a copy of the ledger in Datasette, read-only, until Ctrl-C",
        "kudos explore --index node-1/index.db --listen 127.0.0.1:8090",
    )
    command.add_argument("--index", type=Path, required=True, metavar="FILE")
    command.add_argument("--listen", default="127.0.0.1:8090", metavar="HOST:PORT")
