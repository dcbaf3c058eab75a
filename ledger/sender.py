"""Signs and sends one key's transactions, one after the other, and waits until each is in a block.

Nothing is repeated or replaced here. A transaction's hash is known before it leaves, so whoever
must not send twice writes it down first (``on_signed``) and can ask about it after any failure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_account import Account

from ledger.abi import ContractReverted
from ledger.errors import ChainError
from ledger.keys import Key
from ledger.ports import Clock
from ledger.rpc import Receipt, Rpc
from ledger.types import Address, TxHash, hex_of

GAS_CAP = 16_777_216
"""The most that one transaction may use (EIP-7825)."""

_TRANSFER_GAS = 21_000


class NotMined(ChainError):
    """A transaction was handed over and is in no block yet; it may still get there."""

    def __init__(self, tx_hash: TxHash, seconds: float) -> None:
        super().__init__(
            f"Transaction {hex_of(tx_hash)} was not mined in time ({seconds:g} s).",
            hint="It was not replaced and may still be mined: ask for its receipt before sending "
            "the same again.",
        )
        self.tx_hash = tx_hash


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction that has not left yet."""

    tx_hash: TxHash
    raw: bytes


class Sender:
    """The transactions of one key on one chain. Calls from several threads wait for one another.

    There must be only one ``Sender`` per key: the nonce is taken from the chain at each send.
    """

    def __init__(
        self,
        rpc: Rpc,
        key: Key,
        chain_id: int,
        clock: Clock,
        *,
        mined_within: float = 60.0,
        poll_seconds: float = 0.1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rpc = rpc
        self.address = key.address
        self._key = key
        self._chain_id = chain_id
        self._clock = clock
        self._mined_within = mined_within
        self._poll_seconds = poll_seconds
        self._sleep = sleep
        self._lock = threading.Lock()

    def send(
        self,
        to: Address | None,
        data: bytes,
        *,
        value: int = 0,
        gas: int | None = None,
        on_signed: Callable[[TxHash], None] | None = None,
    ) -> Receipt:
        """Sends a transaction (``to`` None creates a contract) and waits for its receipt.

        ``ContractReverted`` when the contract refuses it (before anything leaves, unless ``gas`` is
        given); ``NotMined`` when it is in no block in time. ``on_signed`` is told the hash before
        the transaction leaves; if it raises, nothing leaves.
        """
        with self._lock:
            limit = gas if gas is not None else self._gas(to, data, value)
            signed = self._sign(to, data, value, limit)
            if on_signed is not None:
                on_signed(signed.tx_hash)
            if self.rpc.send_raw(signed.raw) != signed.tx_hash:
                raise ChainError(
                    "The endpoint answered with the hash of another transaction.",
                    hint="Do not trust this endpoint with the ledger; use another one.",
                )
            receipt = self._wait(signed.tx_hash)
        if receipt.status == 0:
            raise self._undone(to, data, receipt)
        return receipt

    def transfer(self, to: Address, wei: int) -> Receipt:
        """Sends money to an account without code."""
        return self.send(to, b"", value=wei, gas=_TRANSFER_GAS)

    def dry_run(self, to: Address, data: bytes) -> None:
        """Asks what would come of it now; ``ContractReverted`` when it would be refused."""
        self.rpc.call(to, data, sender=self.address)

    def _gas(self, to: Address | None, data: bytes, value: int) -> int:
        """The estimate and a fifth more, as state may change before it is mined."""
        estimate = self.rpc.estimate_gas(to, data, sender=self.address, value=value)
        if estimate > GAS_CAP:
            raise ChainError(
                f"The transaction needs {estimate:,} gas; one may use {GAS_CAP:,} at most.",
                hint="Send less at once.",
            )
        return min(estimate * 6 // 5, GAS_CAP)

    def _sign(self, to: Address | None, data: bytes, value: int, gas: int) -> Signed:
        fees = self.rpc.fees()
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": self.rpc.nonce(self.address, "pending"),
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority,
            "value": value,
            "data": data,
        }
        if to is not None:
            fields["to"] = to
        signed = Account.sign_transaction(fields, self._key.expose_secret())
        return Signed(TxHash(bytes(signed.hash)), bytes(signed.raw_transaction))

    def _wait(self, tx_hash: TxHash) -> Receipt:
        deadline = self._clock.monotonic() + self._mined_within
        while True:
            receipt = self.rpc.receipt(tx_hash)
            if receipt is not None:
                return receipt
            if self._clock.monotonic() >= deadline:
                raise NotMined(tx_hash, self._mined_within)
            self._sleep(self._poll_seconds)

    def _undone(self, to: Address | None, data: bytes, receipt: Receipt) -> ChainError:
        """Why a mined transaction failed, asked again on its block: a receipt does not say."""
        if to is not None:
            try:
                self.rpc.call(to, data, receipt.block_number, sender=self.address)
            except ContractReverted as error:
                return error
        return ChainError(
            f"Transaction {hex_of(receipt.tx_hash)} was mined but undone "
            f"after {receipt.gas_used:,} gas.",
            hint="Another transaction of the same block came first, or the gas did not suffice.",
        )
