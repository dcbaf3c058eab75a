"""Deterministic deployment: the same creation code has the same address on every chain.

    address = keccak256(0xff | proxy | salt | keccak256(creation code))[12:]

The proxy is the public one of many chains. Where it is missing, a transaction with a made-up
signature, whose key therefore nobody has, puts it there: at the same address everywhere, for
whoever pays.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from eth_hash.auto import keccak

from ledger.errors import ChainError
from ledger.ports import Clock
from ledger.rpc import Rpc
from ledger.sender import NotMined, Sender
from ledger.types import Address, Digest, hex_of

PROXY = Address(bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c"))
PROXY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
SIGNER = Address(bytes.fromhex("3fab184622dc19b6109349b94811493bf2a45362"))
PRESIGNED = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    + PROXY_CODE.hex()
    + "1ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)
PRICE = 100_000 * 100 * 10**9
"""What the presigned transaction has to be able to pay, in wei: 100,000 gas at 100 gwei."""


def predict(creation: bytes, salt: Digest) -> Address:
    """Where this creation code is deployed, or would be."""
    return Address(keccak(b"\xff" + PROXY + salt + keccak(creation))[12:])


def ensure_proxy(
    sender: Sender,
    clock: Clock,
    *,
    mined_within: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Puts the proxy on the chain if it is not there."""
    rpc = sender.rpc
    if _has_proxy(rpc):
        return
    missing = PRICE - rpc.balance(SIGNER)
    if missing > 0:
        sender.transfer(SIGNER, missing)
    try:
        tx_hash = rpc.send_raw(PRESIGNED)
    except ChainError as error:
        raise ChainError(
            f"The chain does not take the transaction that puts the proxy there: {error.message}",
            hint="Some chains refuse transactions without a chain id: deploy without a salt.",
        ) from error
    deadline = clock.monotonic() + mined_within
    while rpc.receipt(tx_hash) is None:
        if clock.monotonic() >= deadline:
            raise NotMined(tx_hash, mined_within)
        sleep(0.1)
    if not _has_proxy(rpc):
        raise ChainError(
            "The transaction that puts the deployment proxy there was mined and did not.",
            hint="Its gas does not suffice on this chain: deploy without a salt.",
        )


def _has_proxy(rpc: Rpc) -> bool:
    code = rpc.code(PROXY)
    if code and code != PROXY_CODE:
        raise ChainError(
            f"The address {hex_of(PROXY)} holds another contract than the deployment proxy.",
            hint="Addresses on this chain are not those of others: deploy without a salt.",
        )
    return bool(code)
