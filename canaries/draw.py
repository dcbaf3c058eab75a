"""Which requests the beacon draws as canaries (protocol section 4), as ``KudosClaims`` decides it.

draw = keccak256(abi.encode(beacon, request id)); a canary if draw < rate / 2^16 * 2^256
"""

from __future__ import annotations

from eth_hash.auto import keccak

RATES = 1 << 16
"""What a rate is a fraction of."""


def draw_number(beacon: bytes, request_id: bytes) -> bytes:
    """32 bytes, evenly spread: a fraction of 2^256."""
    return keccak(beacon + request_id)


def is_drawn(beacon: bytes, request_id: bytes, rate: int) -> bool:
    """Whether a request of the beacon's period is a canary, at ``rate`` of 65,536."""
    return int.from_bytes(draw_number(beacon, request_id)[:2], "big") < rate
