"""A door in front of distccd: clients below the border are sent away, and compile at home."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from ledger.errors import KudosError
from node.agent_client import AgentClient

DISTCCD = ("distccd", "--inetd", "--enable-tcp-insecure", "--log-stderr")
AGENT_SECONDS = 5.0
JOB_SECONDS = 600.0


class Gate(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, config: dict[str, Any]) -> None:
        self.agent = str(config["agent"])
        self.clients = {str(ip): str(node) for ip, node in config["clients"].items()}
        host, _, port = config["listen"].rpartition(":")
        super().__init__((host, int(port)), Job)


class Job(socketserver.BaseRequestHandler):
    """One connection of a client: one compile."""

    def handle(self) -> None:
        gate, client = self.server, str(self.client_address[0])
        assert isinstance(gate, Gate)
        if is_welcome(gate, client):
            connection: socket.socket = self.request
            both = connection.fileno()
            subprocess.run(DISTCCD, stdin=both, stdout=both, timeout=JOB_SECONDS)


def is_welcome(gate: Gate, client: str) -> bool:
    node = gate.clients.get(client)
    if node is None:
        print(f"{client} refused: nobody that we know", flush=True)
        return False
    try:
        with AgentClient(gate.agent, timeout=AGENT_SECONDS) as agent:
            verdict = agent.decide(node, "distcc")
    except KudosError as error:
        print(f"{client} refused: {error}", flush=True)
        return False
    print(f"{client} {'accepted' if verdict.accept else 'refused'}: {verdict.text}", flush=True)
    return verdict.accept


if __name__ == "__main__":
    with Gate(tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))) as server:
        print(f"listens on {server.server_address[1]}", flush=True)
        server.serve_forever()
