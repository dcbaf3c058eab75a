"""Which ledger it is: one contract on one chain, with the constants it was created with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from eth_hash.auto import keccak

from ledger import calls, create2
from ledger.contract_code import is_our_code
from ledger.eip712 import Domain
from ledger.errors import ChainError, CorruptData, UsageError
from ledger.keys import Key
from ledger.ports import Clock
from ledger.rpc import Rpc
from ledger.sender import Sender
from ledger.types import Address, BlockNumber, Digest, address_from_hex, hex_of

FORMAT = 1
Finality = Literal["depth", "chain"]


class CodeSource(Protocol):
    """What ``verify`` asks of a chain."""

    @property
    def name(self) -> str: ...
    def chain_id(self) -> int: ...
    def code(self, address: Address, /) -> bytes: ...
    def call(self, to: Address, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed ledger.

    ``finality`` "chain" trusts the chain's own finalized block; "depth" counts ``finality_depth``
    blocks, for chains that have none.
    """

    chain_id: int
    contract: Address
    deployed_block: BlockNumber
    code_hash: Digest
    validators: tuple[Address, ...]
    threshold: int
    epoch_seconds: int
    k1_per_host_and_epoch: int
    finality_depth: int
    finality: Finality = "depth"

    @property
    def domain(self) -> Domain:
        """Where signatures for this ledger are valid."""
        return Domain(self.chain_id, self.contract)

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".new")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(self._as_json(), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads the file that ``save`` wrote."""
        try:
            fields = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise UsageError(
                f"There is no deployment file {path}.",
                hint="Run `kudos deploy`, or copy the file from whoever did.",
            ) from None
        except (OSError, ValueError) as error:
            raise _unreadable(path, str(error)) from error
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise _unreadable(path, f"its format is not {FORMAT}")
        try:
            return cls._from_json(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unreadable(path, f"{type(error).__name__} {error}") from error

    def verify(self, rpc: CodeSource) -> None:
        """Checks that this chain holds this ledger; ChainError says what does not fit."""
        found = rpc.chain_id()
        if found != self.chain_id:
            raise ChainError(
                f"{rpc.name} is chain {found}; the ledger is on chain {self.chain_id}.",
                hint="Name the right endpoint with --rpc, or the right deployment file.",
            )
        code = rpc.code(self.contract)
        if not code:
            raise _foreign(self.contract, "holds no contract")
        if not is_our_code(code):
            raise _foreign(self.contract, "holds another contract than this version of Kudos")
        if keccak(code) != self.code_hash:
            raise _foreign(self.contract, "holds a ledger of other constants than the file says")
        self._verify_constants(rpc)

    def _verify_constants(self, rpc: CodeSource) -> None:
        """The validator list is in storage, which the hash of the code does not cover."""
        views: tuple[tuple[str, calls.View[Any], object], ...] = (
            ("validators", calls.validators(), self.validators),
            ("threshold", calls.threshold(), self.threshold),
            ("epoch length", calls.epoch_seconds(), self.epoch_seconds),
            ("K1 cap", calls.k1_per_host_and_epoch(), self.k1_per_host_and_epoch),
        )
        for name, view, expected in views:
            if view.decode(rpc.call(self.contract, view.data)) != expected:
                raise _foreign(self.contract, f"has another {name} than the file says")

    def _as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "contract": hex_of(self.contract),
            "deployed_block": self.deployed_block,
            "code_hash": hex_of(self.code_hash),
            "validators": [hex_of(validator) for validator in self.validators],
            "threshold": self.threshold,
            "epoch_seconds": self.epoch_seconds,
            "k1_per_host_and_epoch": self.k1_per_host_and_epoch,
            "finality_depth": self.finality_depth,
            "finality": self.finality,
        }

    @classmethod
    def _from_json(cls, fields: Mapping[str, Any]) -> Deployment:
        code_hash = bytes.fromhex(fields["code_hash"].removeprefix("0x"))
        if len(code_hash) != 32:
            raise ValueError("code_hash has not 32 bytes")
        return cls(
            chain_id=_natural(fields, "chain_id"),
            contract=address_from_hex(fields["contract"]),
            deployed_block=BlockNumber(_natural(fields, "deployed_block")),
            code_hash=Digest(code_hash),
            validators=tuple(address_from_hex(text) for text in fields["validators"]),
            threshold=_natural(fields, "threshold"),
            epoch_seconds=_natural(fields, "epoch_seconds"),
            k1_per_host_and_epoch=_natural(fields, "k1_per_host_and_epoch"),
            finality_depth=_natural(fields, "finality_depth"),
            finality=_finality(fields["finality"]),
        )


def deploy(
    rpc: Rpc,
    key: Key,
    clock: Clock,
    *,
    validators: Sequence[Address],
    threshold: int,
    epoch_seconds: int = 86_400,
    k1_per_host_and_epoch: int = 100,
    finality_depth: int = 12,
    finality: Finality = "depth",
    salt: Digest | None = None,
) -> Deployment:
    """Creates the contract and waits for its block; Reverted when it refuses its values.

    With a ``salt`` its address depends on that and on the values alone, on every chain; without one
    it depends on the key and on how many transactions that has sent.
    """
    chain_id = rpc.chain_id()
    creation = calls.constructor(validators, threshold, epoch_seconds, k1_per_host_and_epoch)
    sender = Sender(rpc, key, chain_id, clock)
    if salt is None:
        contract, block = _create(sender, creation)
    else:
        contract, block = _create2(sender, clock, creation, salt)
    deployment = Deployment(
        chain_id=chain_id,
        contract=contract,
        deployed_block=block,
        code_hash=Digest(keccak(rpc.code(contract))),
        validators=tuple(validators),
        threshold=threshold,
        epoch_seconds=epoch_seconds,
        k1_per_host_and_epoch=k1_per_host_and_epoch,
        finality_depth=finality_depth,
        finality=finality,
    )
    deployment.verify(rpc)
    return deployment


def _create(sender: Sender, creation: bytes) -> tuple[Address, BlockNumber]:
    receipt = sender.send(None, creation)
    if receipt.contract is None:
        raise ChainError(
            "The chain mined the deployment and named no contract.",
            hint="Do not trust this endpoint with the ledger; use another one.",
        )
    return receipt.contract, receipt.block_number


def _create2(
    sender: Sender, clock: Clock, creation: bytes, salt: Digest
) -> tuple[Address, BlockNumber]:
    contract = create2.predict(creation, salt)
    if sender.rpc.code(contract):
        raise ChainError(
            f"This very ledger exists at {hex_of(contract)} already.",
            hint="Use its deployment file, or another salt.",
        )
    # The proxy keeps the contract's refusal to itself; asked without it, the contract says why.
    sender.rpc.estimate_gas(None, creation, sender=sender.address)
    create2.ensure_proxy(sender, clock)
    receipt = sender.send(create2.PROXY, salt + creation)
    if not sender.rpc.code(contract):
        raise ChainError(
            f"The deployment was mined, and there is no contract at {hex_of(contract)}.",
            hint="Do not trust this endpoint with the ledger; use another one.",
        )
    return contract, receipt.block_number


def _natural(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is no natural number")
    return value


def _finality(value: Any) -> Finality:
    if value not in ("depth", "chain"):
        raise ValueError('finality is neither "depth" nor "chain"')
    return "depth" if value == "depth" else "chain"


def _unreadable(path: Path, why: str) -> CorruptData:
    return CorruptData(
        f"The deployment file {path} cannot be read: {why}.",
        hint="Copy it again from whoever deployed the ledger.",
    )


def _foreign(contract: Address, what: str) -> ChainError:
    return ChainError(
        f"The address {hex_of(contract)} {what}.",
        hint="Check the deployment file and the endpoint; they belong to different ledgers.",
    )
