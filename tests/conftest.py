"""What every kind of test may use."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# A shell starts its background jobs deaf to Ctrl-C, and children inherit that; those of the tests
# have to end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
