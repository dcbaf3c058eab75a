"""What stands for a result where a home and a host, of one owner, test the validators
(``IValidatorTests``).

    result = keccak256(abi.encode(TYPEHASH, requestId, salt))
    salt   = HMAC-SHA-256 under the owner's secret, over a label and requestId

The salt follows from the secret and the request: it cannot be lost, and nobody else can tell it
before it is shown.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from eth_hash.auto import keccak

StandsFor = Callable[[bytes, bytes], bytes]
"""From a request id and the result's digest to the digest that is sealed."""

MIN_SECRET_BYTES = 32
_LABEL = b"kudos validator test 1"
_TYPEHASH = keccak(b"ValidatorTest(bytes32 requestId,bytes32 salt)")


def digest_of(request_id: bytes, salt: bytes) -> bytes:
    """The digest that is sealed in place of a result's."""
    if len(request_id) != 32 or len(salt) != 32:
        raise ValueError("a request id and a salt have 32 bytes")
    return keccak(_TYPEHASH + request_id + salt)


def salt_of(secret: bytes, request_id: bytes) -> bytes:
    """The salt of the test on this request, to be shown when its claim is decided."""
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"a tester's secret has at least {MIN_SECRET_BYTES} bytes")
    return hmac.digest(secret, _LABEL + request_id, hashlib.sha256)


def the_result(request_id: bytes, result_digest: bytes) -> bytes:
    """What every migration but a test seals."""
    return result_digest


def in_its_place(secret: bytes) -> StandsFor:
    """What a test seals, whatever the result is."""
    return lambda request_id, _: digest_of(request_id, salt_of(secret, request_id))
