"""What ``kudos agent`` takes."""

from __future__ import annotations

from node.arguments import Commands, claim_options, footing_options, new_command


def add_agent(commands: Commands) -> None:
    command = new_command(
        commands,
        "agent",
        "answer another program's scheduler, and sign and settle what it does",
        "kudos agent --ledger ledger.json --rpc http://127.0.0.1:8545 --key node.json "
        "--password-file pw --data node-1 --listen 127.0.0.1:7701 --peer 127.0.0.1:7702",
    )
    footing_options(command)
    claim_options(command)
    command.add_argument(
        "--listen", required=True, metavar="HOST:PORT", help="where other agents connect"
    )
    command.add_argument(
        "--http",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="on loopback; port 0 (the default) is a free one, to be read from agent-http",
    )
    command.add_argument(
        "--strategy",
        default="thesis",
        metavar="NAME|FILE.toml",
        help="by which to decide and rank (default thesis)",
    )
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
