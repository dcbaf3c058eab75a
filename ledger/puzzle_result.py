"""What a puzzle's result digest is: it follows from the solution (``ICanaryFamily``).

A puzzle is an ordinary task that prints its solution as 64 lower-case hexadecimal digits and a
newline, exits with 0, and leaves nothing else; its result descriptor has one spelling.
"""

from __future__ import annotations

import hashlib
import json

from eth_hash.auto import keccak

from ledger.types import Digest

_NOTHING = hashlib.sha256(b"").hexdigest()


def result_digest_of(solution: Digest) -> Digest:
    """keccak256 of the canonical JSON of the result descriptor."""
    printed = hashlib.sha256(solution.hex().encode() + b"\n").hexdigest()
    fields = {
        "exit_status": 0,
        "outputs": [],
        "stderr": _NOTHING,
        "stdout": printed,
        "version": 1,
    }
    return Digest(keccak(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()))
