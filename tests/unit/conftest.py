"""Unit tests stay inside their process: a socket to the network is an error, not a slow test."""

from __future__ import annotations

import socket
from typing import Any

import pytest


class NetworkUsed(AssertionError):
    """A unit test opened a socket; it belongs into tests/integration, or takes a fake."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Event loops need their AF_UNIX pair to wake up; everything else is refused at creation."""
    original = socket.socket.__init__

    def guarded(self: socket.socket, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if self.family != socket.AF_UNIX:
            self.close()
            raise NetworkUsed(f"{self.family.name} sockets are forbidden in unit tests")

    monkeypatch.setattr(socket.socket, "__init__", guarded)
