"""Marks, commitments and seals (protocol sections 2 and 3).

    markHash   = keccak256(abi.encode(kind, family, parameters, salt))
    commitment = keccak256(abi.encode(TYPEHASH, chainId, contract, home, host, seq, taskDigest,
    markHash)) seal       = keccak256(abi.encode(resultDigest, salt, host, requestId))

The commitment binds chain, contract, both parties and the sequence number, so a copy of it is
worthless to whoever copies it. Salts are 256 random bits: without one, a mark could be guessed from
its hash.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_hash.auto import keccak

ORDINARY, PLANTED = 0, 1

_TYPEHASH = keccak(
    b"Commitment(uint256 chainId,address verifyingContract,address home,address host,uint32 seq,"
    b"bytes32 taskDigest,bytes32 markHash)"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a request secretly is. ``family`` and ``parameters`` are 32 bytes, zero for an ordinary
    task."""

    kind: int
    family: bytes
    parameters: bytes
    salt: bytes

    def __post_init__(self) -> None:
        if self.kind not in (ORDINARY, PLANTED):
            raise ValueError(f"a mark is of kind 0 or 1, not {self.kind}")
        if not any(self.salt):
            raise ValueError("a mark needs 32 random bytes of salt")

    @property
    def hash(self) -> bytes:
        """What the host is shown."""
        return _hash(self.kind.to_bytes(32, "big"), self.family, self.parameters, self.salt)

    @property
    def is_canary(self) -> bool:
        return self.kind == PLANTED

    def __repr__(self) -> str:
        return "<Mark, unopened>"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a commitment holds: chain, contract, home, host (20 bytes each) and sequence number."""

    chain_id: int
    contract: bytes
    home: bytes
    host: bytes
    seq: int


def commitment(place: Place, task_digest: bytes, mark_hash: bytes) -> bytes:
    """The 32 bytes that the REQUEST carries."""
    return _hash(
        _TYPEHASH,
        place.chain_id.to_bytes(32, "big"),
        place.contract,
        place.home,
        place.host,
        place.seq.to_bytes(32, "big"),
        task_digest,
        mark_hash,
    )


def seal(result_digest: bytes, salt: bytes, host: bytes, request_id: bytes) -> bytes:
    """The 32 bytes that the RESULT carries: the host's answer, fixed but not shown."""
    return _hash(result_digest, salt, host, request_id)


def _hash(*words: bytes) -> bytes:
    """keccak256 of ABI words; 20-byte values are addresses, everything else has 32 bytes
    already."""
    if any(len(word) not in (20, 32) for word in words):
        raise ValueError("every word has 32 bytes, an address 20")
    return keccak(b"".join(word.rjust(32, b"\0") for word in words))
