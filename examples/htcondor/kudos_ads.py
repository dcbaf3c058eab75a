#!/usr/bin/env python3
"""Prints, as ClassAd attributes, the homes whose jobs this machine would take at the moment."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ledger.errors import KudosError
from node.agent_client import AgentClient

AGENT_SECONDS = 10.0


def main(agent: str, homes: str) -> int:
    listed = [line.strip().lower() for line in Path(homes).read_text("utf-8").splitlines()]
    try:
        with AgentClient(agent, timeout=AGENT_SECONDS) as client:
            accepted = [home for home in listed if home and client.decide(home, "condor").accept]
    except KudosError as error:
        print(f"kudos: {error}", file=sys.stderr)
        accepted = []
    print("KudosAccepted = {" + ", ".join(f'"{home}"' for home in accepted) + "}")
    print(f"KudosAsked = {int(time.time())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
