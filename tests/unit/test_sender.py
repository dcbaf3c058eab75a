"""How much gas a transaction gets, and what is believed of an endpoint's answers."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_hash.auto import keccak
from hexbytes import HexBytes

from ledger.errors import ChainError
from ledger.keys import Key
from ledger.ports import SystemClock
from ledger.rpc import Fees, Receipt, Rpc
from ledger.sender import GAS_CAP, NotMined, Sender
from ledger.types import Address, BlockHash, BlockNumber, TxHash

KEY = Key(PrivateKey(sha256(b"sender").digest()))
TO = Address(b"\x11" * 20)


class FakeChain:
    """An endpoint that mines the n-th time it is asked, or never."""

    def __init__(self, *, estimate: int = 50_000, mined_after: int = 0) -> None:
        self.estimate = estimate
        self.mined_after = mined_after
        self.sent: list[bytes] = []
        self.answer: TxHash | None = None

    def estimate_gas(self, *_: Any, **__: Any) -> int:
        return self.estimate

    def fees(self) -> Fees:
        return Fees(30, 2)

    def nonce(self, *_: Any) -> int:
        return 7

    def send_raw(self, raw: bytes) -> TxHash:
        self.sent.append(raw)
        return self.answer or TxHash(keccak(raw))

    def receipt(self, tx: TxHash) -> Receipt | None:
        self.mined_after -= 1
        if self.mined_after >= 0:
            return None
        return Receipt(tx, 1, BlockNumber(1), BlockHash(bytes(32)), 21_000, None, ())


def sender(chain: FakeChain, waits: list[float] | None = None, within: float = 60.0) -> Sender:
    sleep = (waits if waits is not None else []).append
    return Sender(cast(Rpc, chain), KEY, 31_337, SystemClock(), mined_within=within, sleep=sleep)


def sent_fields(chain: FakeChain) -> dict[str, Any]:
    (raw,) = chain.sent
    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())


@pytest.mark.parametrize(
    ("estimate", "limit"), [(50_000, 60_000), (15_000_000, GAS_CAP), (GAS_CAP, GAS_CAP)]
)
def test_the_gas_is_a_fifth_more_and_never_above_the_cap(estimate: int, limit: int) -> None:
    chain = FakeChain(estimate=estimate)
    sender(chain).send(TO, b"\x01")
    assert sent_fields(chain)["gas"] == limit


def test_more_gas_than_the_cap_is_refused_before_it_leaves() -> None:
    chain = FakeChain(estimate=GAS_CAP + 1)
    with pytest.raises(ChainError, match="Send less at once"):
        sender(chain).send(TO, b"")
    assert chain.sent == []


def test_what_leaves_is_signed_by_the_key_for_this_chain() -> None:
    chain = FakeChain()
    sender(chain).send(TO, b"\x01\x02", value=9)
    fields = sent_fields(chain)
    assert Account.recover_transaction(chain.sent[0]).lower() == "0x" + KEY.address.hex()
    assert (fields["chainId"], fields["nonce"], fields["value"]) == (31_337, 7, 9)
    assert (fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]) == (30, 2)
    assert (bytes(fields["to"]), bytes(fields["data"])) == (TO, b"\x01\x02")


def test_it_waits_for_the_receipt_and_sends_once() -> None:
    chain, waits = FakeChain(mined_after=3), list[float]()
    assert sender(chain, waits).transfer(TO, 1).status == 1
    assert (len(waits), len(chain.sent)) == (3, 1)


def test_it_does_not_wait_for_ever() -> None:
    chain = FakeChain(mined_after=10**9)
    with pytest.raises(NotMined) as caught:
        sender(chain, within=0.0).transfer(TO, 1)
    assert caught.value.tx_hash == keccak(chain.sent[0])
    assert len(chain.sent) == 1


def test_the_hash_of_another_transaction_is_not_believed() -> None:
    chain = FakeChain()
    chain.answer = TxHash(b"\x01" * 32)
    with pytest.raises(ChainError, match="another transaction"):
        sender(chain).transfer(TO, 1)
