"""The packed claims for K3 of ``IKudosClaims.claim`` and of its event; the interface has the
layout.

Nothing is carried that follows from the rest. The bytes are written by hosts and read back from the
log, where each claim is shorter: its request is known from the RESULT's settlement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.assets import Request
from ledger.errors import PeerError
from ledger.types import Address, Digest

PUZZLE, PLANTED, DRAWN = 1, 2, 3
"""Forms of a claim."""
SAME_HOME, SIGNED = 4, 8
_FORM = 3
_OPENING_BYTES = {PUZZLE: 161, PLANTED: 192, DRAWN: 128}


@dataclass(frozen=True, slots=True)
class PuzzleOpening:
    """A planted puzzle: ``family`` is its number in the claims contract."""

    family: int
    task_digest: Digest
    parameters: Digest
    salt: Digest
    seal_salt: Digest
    solution: Digest


@dataclass(frozen=True, slots=True)
class PlantedOpening:
    """A planted canary that validators run again: ``family`` is its name."""

    family: Digest
    task_digest: Digest
    parameters: Digest
    salt: Digest
    seal_salt: Digest
    result_digest: Digest


@dataclass(frozen=True, slots=True)
class DrawnOpening:
    """A canary that the beacon has drawn; its mark stays shut."""

    task_digest: Digest
    mark_hash: Digest
    seal_salt: Digest
    result_digest: Digest


Opening = PuzzleOpening | PlantedOpening | DrawnOpening


@dataclass(frozen=True, slots=True)
class HomesWords:
    """The home's signature of CANARY_OPENED, where it rides along."""

    opened_at: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class ClaimedCanary:
    """One claim as the log has it."""

    home: Address
    seq: int
    opening: Opening
    words: HomesWords | None


@dataclass(frozen=True, slots=True)
class ClaimItem:
    """One claim as a host makes it. ``path`` are the siblings from the leaf up, or None for a
    RESULT that came the strict way; ``tree`` tells items of one batch, whose nodes are shared."""

    request: Request
    result_signed_at: int
    opening: Opening
    words: HomesWords | None = None
    tree: Digest | None = None
    index: int = 0
    path: tuple[Digest, ...] = ()


def encode_claims(items: Sequence[ClaimItem]) -> bytes:
    """The bytes of a call, in the order of the items; those of one home and one batch should stand
    together, ordered by index, as then they share most. ValueError where a time does not fit."""
    packed, before = bytearray(), None
    for item in items:
        packed += _encode_item(item, before)
        before = item
    return bytes(packed)


def _encode_item(item: ClaimItem, before: ClaimItem | None) -> bytes:
    same_home = before is not None and before.request.home == item.request.home
    form = _form_of(item.opening) | SAME_HOME * same_home | SIGNED * (item.words is not None)
    home = b"" if same_home else item.request.home
    parts = (_result(item), _place(item, before), _encode_opening(item.opening))
    return bytes([form]) + home + b"".join(parts) + _encode_words(item.words)


def _result(item: ClaimItem) -> bytes:
    request = item.request
    after = item.result_signed_at - request.signed_at
    deadline = request.result_deadline - request.signed_at
    numbers = (
        (request.seq, 4),
        (request.signed_at, 4),
        (deadline, 3),
        (request.cpu_seconds, 3),
        (request.memory_mib, 3),
        (request.output_kib, 4),
        (after, 3),
    )
    try:
        packed = b"".join(value.to_bytes(size, "big") for value, size in numbers)
    except OverflowError as error:
        raise ValueError(f"a number of the RESULT does not fit its field: {error}") from error
    return request.process_id + request.process_name + packed


def _place(item: ClaimItem, before: ClaimItem | None) -> bytes:
    """``levels`` with its nodes: those that the item before has at the same place are not sent."""
    if item.tree is None:
        return b"\0"
    shared: tuple[tuple[int, Digest], ...] = ()
    if before is not None and before.tree == item.tree:
        shared = tuple(enumerate(before.path))
    levels, nodes = 1 << len(item.path), b""
    for level, node in enumerate(item.path):
        if (level, node) not in shared:
            levels |= 1 << level
            nodes += node
    return bytes([levels, item.index]) + nodes


def _form_of(opening: Opening) -> int:
    forms = {PuzzleOpening: PUZZLE, PlantedOpening: PLANTED, DrawnOpening: DRAWN}
    return forms[type(opening)]


def _encode_opening(opening: Opening) -> bytes:
    values = [getattr(opening, field) for field in opening.__dataclass_fields__]
    return b"".join(bytes([value]) if isinstance(value, int) else value for value in values)


def _encode_words(words: HomesWords | None) -> bytes:
    if words is None:
        return b""
    head = words.opened_at.to_bytes(8, "big") + len(words.signature).to_bytes(2, "big")
    return head + words.signature


def encode_claimed(claims: Sequence[ClaimedCanary]) -> bytes:
    """The bytes of an event; the reverse of ``decode_claimed``."""
    packed = b""
    for claim in claims:
        form = _form_of(claim.opening) | SIGNED * (claim.words is not None)
        place = claim.home + claim.seq.to_bytes(4, "big")
        packed += bytes([form]) + place + _encode_opening(claim.opening)
        packed += _encode_words(claim.words)
    return packed


def decode_claimed(packed: bytes) -> list[ClaimedCanary]:
    """The claims of an event; PeerError when the bytes are not in the packed form."""
    return list(_items(packed))


def _items(packed: bytes) -> Iterator[ClaimedCanary]:
    offset = 0
    while offset < len(packed):
        form = packed[offset]
        size = _OPENING_BYTES.get(form & _FORM)
        if size is None or form & ~(_FORM | SIGNED):
            raise PeerError(f"There is no claim of form {form}.")
        body = packed[offset + 1 : offset + 25 + size]
        if len(body) < 24 + size:
            raise PeerError("The claims end in the middle of one.")
        offset += 25 + size
        words = None
        if form & SIGNED:
            words, offset = _decode_words(packed, offset)
        opening = _decode_opening(form & _FORM, body[24:])
        yield ClaimedCanary(Address(body[:20]), int.from_bytes(body[20:24], "big"), opening, words)


def _decode_opening(form: int, raw: bytes) -> Opening:
    first = 1 if form == PUZZLE else 0
    words = [Digest(raw[start : start + 32]) for start in range(first, len(raw), 32)]
    if form == PUZZLE:
        return PuzzleOpening(raw[0], *words)
    return PlantedOpening(*words) if form == PLANTED else DrawnOpening(*words)


def _decode_words(packed: bytes, offset: int) -> tuple[HomesWords, int]:
    head = packed[offset : offset + 10]
    length = int.from_bytes(head[8:], "big")
    end = offset + 10 + length
    if len(head) < 10 or end > len(packed):
        raise PeerError("The claims end in the middle of a signature.")
    return HomesWords(int.from_bytes(head[:8], "big"), packed[offset + 10 : end]), end
