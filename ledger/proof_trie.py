"""Merkle-Patricia tries: a proof read strictly, and small tries built to take proofs from. Pure.

A node is RLP: 17 items (a branch) or 2 (a leaf or an extension, by the first nibble of its path).
It is referred to by its keccak256, or, where it is shorter than 32 bytes, stands in its parent
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import rlp
from eth_hash.auto import keccak

Node: TypeAlias = "bytes | list[Node]"
Nibbles = tuple[int, ...]
EMPTY_ROOT = keccak(rlp.encode(b""))
_BRANCH, _SHORT = 17, 2


class BrokenProof(ValueError):
    """The nodes do not lead from the root along the key, or not only they."""


def value_at(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes:
    """What the trie with this root holds under the key, or nothing; BrokenProof otherwise."""
    if root == EMPTY_ROOT and not proof:
        return b""
    rest = list(proof)
    value = _walk(_take(root, rest), _nibbles(key), rest)
    if rest:
        raise BrokenProof(f"{len(rest)} nodes lie beside the path")
    return value


def _walk(node: Node, path: Nibbles, rest: list[bytes]) -> bytes:
    for _ in range(len(path) + 2):
        if node == b"":
            return b""
        if isinstance(node, bytes) or len(node) not in (_BRANCH, _SHORT):
            raise BrokenProof("a node is neither a branch nor a leaf nor an extension")
        if len(node) == _BRANCH:
            if not path:
                return _bytes(node[16])
            node, path = _follow(node[path[0]], rest), path[1:]
            continue
        own, is_leaf = _unpacked(_bytes(node[0]))
        if is_leaf:
            return _bytes(node[1]) if own == path else b""
        if path[: len(own)] != own:
            return b""
        node, path = _follow(node[1], rest), path[len(own) :]
    raise BrokenProof("the path does not end")


def _follow(reference: Node, rest: list[bytes]) -> Node:
    if isinstance(reference, bytes) and len(reference) == 32:
        return _take(reference, rest)
    return reference


def _take(digest: bytes, rest: list[bytes]) -> Node:
    if not rest:
        raise BrokenProof("a node is missing")
    raw = rest.pop(0)
    if keccak(raw) != digest:
        raise BrokenProof("a node is not the one that is referred to")
    return decoded(raw)


def decoded(raw: bytes) -> Node:
    """RLP in its one right spelling; BrokenProof for any other."""
    try:
        node: Node = rlp.decode(raw)
    except (rlp.DecodingError, RecursionError) as error:
        raise BrokenProof(f"RLP that cannot be read: {error}") from error
    return node


def _bytes(item: Node) -> bytes:
    if isinstance(item, bytes):
        return item
    raise BrokenProof("a list where bytes belong")


def proof_of(items: Mapping[bytes, bytes], key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The root of the trie over these items, and the nodes from it to the key, which it holds."""
    if key not in items:
        raise ValueError("a proof is only made of an item that is there")
    nodes: list[bytes] = []
    entries = {_nibbles(path): value for path, value in items.items()}
    top = rlp.encode(_build(entries, _nibbles(key), nodes))
    if len(top) < 32:
        nodes.append(top)
    return keccak(top), tuple(reversed(nodes))


def _build(entries: Mapping[Nibbles, bytes], wanted: Nibbles | None, out: list[bytes]) -> Node:
    """The node over these entries; those on the way to ``wanted`` go to ``out``, deepest first."""
    (first, value), *others = entries.items()
    if not others:
        return _noted([_packed(first, is_leaf=True), value], wanted, out)
    shared = _shared(list(entries))
    if shared:
        below = {path[shared:]: entry for path, entry in entries.items()}
        on_way = None if wanted is None else wanted[shared:]
        reference = _reference(_build(below, on_way, out))
        return _noted([_packed(first[:shared], is_leaf=False), reference], wanted, out)
    branch: list[Node] = []
    for nibble in range(16):
        below = {path[1:]: entry for path, entry in entries.items() if path[:1] == (nibble,)}
        on_way = wanted[1:] if wanted and wanted[0] == nibble else None
        branch.append(_reference(_build(below, on_way, out)) if below else b"")
    branch.append(entries.get((), b""))
    return _noted(branch, wanted, out)


def _noted(node: list[Node], wanted: Nibbles | None, out: list[bytes]) -> Node:
    raw = rlp.encode(node)
    if wanted is not None and len(raw) >= 32:
        out.append(raw)
    return node


def _reference(node: Node) -> Node:
    raw = rlp.encode(node)
    return node if len(raw) < 32 else keccak(raw)


def _shared(paths: Sequence[Nibbles]) -> int:
    low, high = min(paths), max(paths)
    length = 0
    while length < min(len(low), len(high)) and low[length] == high[length]:
        length += 1
    return length


def _nibbles(key: bytes) -> Nibbles:
    return tuple(half for byte in key for half in (byte >> 4, byte & 15))


def _packed(path: Nibbles, *, is_leaf: bool) -> bytes:
    odd = len(path) % 2
    flagged = (2 * is_leaf + odd, *(() if odd else (0,)), *path)
    return bytes(16 * a + b for a, b in zip(flagged[::2], flagged[1::2], strict=True))


def _unpacked(raw: bytes) -> tuple[Nibbles, bool]:
    nibbles = _nibbles(raw)
    if not nibbles or nibbles[0] > 3 or (nibbles[0] % 2 == 0 and nibbles[1] != 0):
        raise BrokenProof("a path that is not packed as it should be")
    return nibbles[1 if nibbles[0] % 2 else 2 :], nibbles[0] >= 2
