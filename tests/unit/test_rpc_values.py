"""JSON-RPC values: what is taken, what is refused, what is shown of a URL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import rpc_values as read
from ledger.errors import ChainError
from ledger.events import RawLog
from ledger.types import Address, BlockHash, BlockNumber, TxHash

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
CONTRACT = Address(b"\x11" * 20)


def log(**fields: Any) -> dict[str, Any]:
    return {
        "address": "0x" + "11" * 20,
        "topics": ["0x" + "aa" * 32],
        "data": "0x0102",
        "blockNumber": "0x5",
        "blockHash": "0x" + "bb" * 32,
        "transactionHash": "0x" + "cc" * 32,
        "logIndex": "0x2",
        **fields,
    }


def raw(number: int, index: int) -> RawLog:
    return RawLog(
        *(CONTRACT, (), b"", BlockNumber(number), BlockHash(bytes(32)), TxHash(bytes(32)), index)
    )


@given(st.integers(0, 2**256 - 1))
def test_a_quantity_is_read_back(value: int) -> None:
    assert read.quantity(hex(value)) == value


@given(st.binary(max_size=200))
def test_bytes_are_read_back(value: bytes) -> None:
    assert read.data("0x" + value.hex()) == value


@given(JSON)
def test_no_reader_lets_anything_but_a_chain_error_out(value: Any) -> None:
    for parse in (read.quantity, read.data, read.word, read.header, read.logs, read.receipt):
        try:
            parse(value)
        except ChainError as error:
            assert error.hint
        else:
            assert isinstance(value, str | list)


@pytest.mark.parametrize(
    "value", ["0x", "12", "-0x1", "0x-1", "0x1_0", "0x 1", "0x1g", "0x" + "f" * 65, 3, None]
)
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(ChainError):
        read.quantity(value)


@pytest.mark.parametrize("value", ["0x1", "0x 00", "0x0_", "00", None, b"", 5])
def test_what_is_no_byte_string_is_refused(value: Any) -> None:
    with pytest.raises(ChainError):
        read.data(value)
    assert read.lenient_data(value) == b""


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_word_has_32_bytes(size: int) -> None:
    with pytest.raises(ChainError, match=str(size)):
        read.word("0x" + "00" * size)


def test_a_log_is_read() -> None:
    found = read.log(log())
    assert (found.address, found.data, found.log_index) == (CONTRACT, b"\x01\x02", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"topics": ["0x" + "aa" * 32] * 5},
        {"topics": "0x"},
        {"topics": ["0xaa"]},
        {"removed": True},
        {"address": "0x11"},
        {"blockHash": None},
    ],
)
def test_a_log_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ChainError):
        read.log(log(**wrong))


@pytest.mark.parametrize(
    "places",
    [[(1, 0), (1, 0)], [(1, 1), (1, 0)], [(2, 0), (1, 5)]],
    ids=["twice", "index", "block"],
)
def test_logs_out_of_order_are_refused(places: list[tuple[int, int]]) -> None:
    with pytest.raises(ChainError, match="order"):
        read.checked_logs([raw(*place) for place in places], [CONTRACT], lambda _: True)
    ordered = [raw(*place) for place in sorted(set(places))]
    assert read.checked_logs(ordered, [CONTRACT], lambda _: True) == ordered


def test_a_receipt_with_a_third_status_is_refused() -> None:
    fields: dict[str, Any] = {
        "transactionHash": "0x" + "cc" * 32,
        "status": "0x1",
        "blockNumber": "0x5",
        "blockHash": "0x" + "bb" * 32,
        "gasUsed": "0x5208",
        "contractAddress": None,
        "logs": [],
    }
    assert read.receipt(fields).gas_used == 21_000
    with pytest.raises(ChainError):
        read.receipt({**fields, "status": "0x2"})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545/", "http://127.0.0.1:8545"),
        ("https://user:pw@node.example/v3/key", "https://node.example/…"),
        ("https://node.example?key=1", "https://node.example/…"),
        ("http://[::1]:8545/x", "http://[::1]:8545/…"),
        ("http://[broken", "(an unreadable URL)"),
        ("http://host:port", "(an unreadable URL)"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert read.mask_url(url) == shown


def test_an_error_of_any_shape_becomes_a_refusal() -> None:
    refused = read.refusal("http://x", "eth_call", {"code": 3, "message": "no", "data": "0x01"})
    assert (refused.code, refused.data) == (3, b"\x01")
    for odd in ("text", None, [1], {"code": "3", "data": {"a": 1}}):
        assert read.refusal("http://x", "eth_call", odd).code == 0
