"""The desk's service over any ledger, as a process: python -m tests.e2e.desk_server JSON.

Prints its port once it listens.
"""

from __future__ import annotations

import json
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from ledger.deployment import Deployment
from ledger.desk.app import create_app
from ledger.desk.middleware import Limits
from ledger.proof_bundle import build
from ledger.rpc import Rpc
from ledger.source import LedgerIdentity
from ledger.synthetic_actors import Settings, deployment_of
from ledger.types import address_from_hex


def main(description: dict[str, Any]) -> None:
    app = create_app(
        Path(description["index"]),
        identity(description),
        names={address_from_hex(key): name for key, name in description["names"].items()},
        stale_after=description["stale_after"],
        limits=Limits(queue=256, patience=30),
        prover=partial(build, Rpc(url)) if (url := description.get("rpc")) else None,
    )
    listening = socket.create_server(("127.0.0.1", description["port"]))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


def identity(description: dict[str, Any]) -> LedgerIdentity:
    """A real ledger has a deployment file, a synthetic one follows from its settings."""
    if "ledger" in description:
        return Deployment.load(Path(description["ledger"]))
    return deployment_of(Settings(**description["settings"]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
