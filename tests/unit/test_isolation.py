"""The guard in this directory's conftest really guards."""

from __future__ import annotations

import asyncio
import socket
import urllib.request

import pytest


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_network_socket_is_refused(family: socket.AddressFamily) -> None:
    with pytest.raises(AssertionError, match="forbidden in unit tests"):
        socket.socket(family)


def test_a_library_cannot_reach_the_network_either() -> None:
    with pytest.raises(AssertionError, match="forbidden in unit tests"):
        urllib.request.urlopen("http://127.0.0.1:9/", timeout=1)


def test_event_loops_still_work() -> None:
    assert asyncio.run(asyncio.sleep(0, result="awake")) == "awake"
