"""Merkle-Patricia proofs: of tries of any shape, and refused when anything about them changes."""

from __future__ import annotations

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof_trie import EMPTY_ROOT, BrokenProof, proof_of, value_at

KEYS = st.binary(min_size=1, max_size=3)
# From values that fit into their parent to such that make a node of their own.
ITEMS = st.dictionaries(KEYS, st.binary(min_size=1, max_size=80), min_size=1, max_size=40)


@given(items=ITEMS, data=st.data())
def test_every_item_is_proven_under_one_root(
    items: dict[bytes, bytes], data: st.DataObject
) -> None:
    roots = set()
    for key, value in items.items():
        root, proof = proof_of(items, key)
        assert value_at(root, key, proof) == value
        roots.add(root)
    assert len(roots) == 1
    key = data.draw(st.sampled_from(sorted(items)))
    root, proof = proof_of(items, key)
    with pytest.raises(BrokenProof):
        value_at(keccak(root), key, proof)
    with pytest.raises(BrokenProof):
        value_at(root, key, proof[:-1])
    with pytest.raises(BrokenProof):
        value_at(root, key, [*proof, proof[-1]])
    node = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 8 * len(proof[node]) - 1))
    changed = bytearray(proof[node])
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BrokenProof):
        value_at(root, key, [*proof[:node], bytes(changed), *proof[node + 1 :]])


@given(items=ITEMS, key=KEYS, other=KEYS)
def test_a_proof_never_gives_another_value(
    items: dict[bytes, bytes], key: bytes, other: bytes
) -> None:
    items[key] = b"mine"
    root, proof = proof_of(items, key)
    try:
        assert value_at(root, other, proof) == items.get(other, b"")
    except BrokenProof:
        assert other != key


def test_known_roots() -> None:
    """The root that two items have by the yellow paper's own construction, made by hand."""
    leaf = rlp.encode([b"\x20", b"long enough to be a node of its own"])
    other = rlp.encode([b"\x20", b"another one that is a node of its own"])
    branch = rlp.encode([keccak(leaf), keccak(other), *[b""] * 15])
    extension = rlp.encode([b"\x14", keccak(branch)])
    items = {
        b"\x40": b"long enough to be a node of its own",
        b"\x41": b"another one that is a node of its own",
    }
    root, proof = proof_of(items, b"\x41")
    assert root == keccak(extension) and proof == (extension, branch, other)


def test_an_empty_trie_holds_nothing() -> None:
    assert value_at(EMPTY_ROOT, b"key", []) == b""
    with pytest.raises(ValueError, match="that is there"):
        proof_of({b"a": b"b"}, b"c")


@pytest.mark.parametrize(
    "node",
    [
        b"text",
        [b"\x20"],
        [b"\x50", b"v"],
        [b"\x01", b"v"],
        [b"", b"v"],
        [[], b"v"],
        [b"\x20\x01", []],
    ],
)
def test_a_node_that_is_none(node: object) -> None:
    raw = rlp.encode(node)
    with pytest.raises(BrokenProof):
        value_at(keccak(raw), b"\x01", [raw])


def test_bytes_that_are_no_rlp() -> None:
    raw = b"\xc2\x01"
    with pytest.raises(BrokenProof, match="RLP"):
        value_at(keccak(raw), b"", [raw])


def test_nodes_that_lead_in_a_circle_end() -> None:
    inner: list[object] = [b"\x00", b"v"]
    for _ in range(9):
        inner = [b"\x00", inner]
    raw = rlp.encode(inner)
    with pytest.raises(BrokenProof, match="does not end"):
        value_at(keccak(raw), b"\x01", [raw])
