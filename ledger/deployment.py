"""Which ledger it is: its contracts on one chain, with the constants they were created with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, decode_result, encode
from ledger.contract_code import is_our_code
from ledger.creation import (
    PARTS,
    Constants,
    code_hash,
    part_addresses,
)
from ledger.eip712 import Domain
from ledger.errors import ChainError, CorruptData, UsageError
from ledger.types import Address, BlockNumber, Digest, address_from_hex, hex_of

FORMAT = 2
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

    ``validators`` and ``threshold`` are those it began with; the validators may have changed both
    since. ``code_hashes`` are those of all contracts, in the order of ``creation.PARTS``.
    ``finality`` "chain" trusts the chain's own finalized block; "depth" counts ``finality_depth``
    blocks, for chains that have none.
    """

    chain_id: int
    contract: Address
    deployed_block: BlockNumber
    code_hashes: tuple[Digest, ...]
    validators: tuple[Address, ...]
    threshold: int
    constants: Constants
    finality_depth: int
    finality: Finality = "depth"

    @property
    def domain(self) -> Domain:
        """Where signatures for this ledger are valid."""
        return Domain(self.chain_id, self.contract)

    @property
    def epoch_seconds(self) -> int:
        return self.constants.epoch_seconds

    @property
    def round_seconds(self) -> int:
        return self.constants.round_seconds

    @property
    def draw_rate(self) -> int:
        return self.constants.draw_rate

    @property
    def period_seconds(self) -> int:
        return self.constants.beacon_period_seconds

    @property
    def reveal_seconds(self) -> int:
        return self.constants.beacon_reveal_seconds

    @property
    def k1_per_host_and_epoch(self) -> int:
        return self.constants.k1_per_host_and_epoch

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
        for (part, address), expected in zip(
            part_addresses(self.contract).items(), self.code_hashes, strict=True
        ):
            self._verify_code(rpc, part, address, expected)
        self._verify_constants(rpc)
        self._verify_set(rpc)

    def _verify_code(self, rpc: CodeSource, part: str, address: Address, expected: Digest) -> None:
        code = rpc.code(address)
        if not code:
            raise _foreign(address, f"holds no contract; it should be {part}")
        if not is_our_code(code, part):
            raise _foreign(address, f"holds another contract than the {part} of this version")
        if code_hash(code) != expected:
            raise _foreign(address, f"holds a {part} of other constants than the file says")

    def _verify_constants(self, rpc: CodeSource) -> None:
        """The hashes of the code cover its constants; this holds the file's words to them."""
        constants, addresses = self.constants, part_addresses(self.contract)
        expected = (
            (LEDGER, "epochSeconds", constants.epoch_seconds),
            (LEDGER, "k1PerHostAndEpoch", constants.k1_per_host_and_epoch),
            (LEDGER, "k2PerPairAndEpoch", constants.k2_per_pair_and_epoch),
            (LEDGER, "predecessor", hex_of(constants.predecessor)),
            (QUEUE, "delay", constants.queue_delay_seconds),
            (CLAIMS, "commitSeconds", constants.round_seconds),
            (CLAIMS, "drawRate", constants.draw_rate),
            (BEACON, "periodSeconds", constants.beacon_period_seconds),
            (BEACON, "revealSeconds", constants.beacon_reveal_seconds),
        )
        for part, name, value in expected:
            if _ask(rpc, addresses[part], part, name) != (value,):
                raise _foreign(addresses[part], f"has another {name} than the file says")

    def _verify_set(self, rpc: CodeSource) -> None:
        """The set is in storage. Once the validators have changed it the file says no more of it
        than how it began."""
        if _ask(rpc, self.contract, LEDGER, "setVersion") != (1,):
            return
        (listed,) = _ask(rpc, self.contract, LEDGER, "validators")
        if tuple(address_from_hex(text) for text in listed) != self.validators:
            raise _foreign(self.contract, "has another validators list than the file says")
        if _ask(rpc, self.contract, LEDGER, "threshold") != (self.threshold,):
            raise _foreign(self.contract, "has another threshold than the file says")

    def _as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "contract": hex_of(self.contract),
            "deployed_block": self.deployed_block,
            "code_hashes": [hex_of(found) for found in self.code_hashes],
            "validators": [hex_of(validator) for validator in self.validators],
            "threshold": self.threshold,
            "constants": self.constants.as_json(),
            "finality_depth": self.finality_depth,
            "finality": self.finality,
        }

    @classmethod
    def _from_json(cls, fields: Mapping[str, Any]) -> Deployment:
        hashes = tuple(
            Digest(bytes.fromhex(text.removeprefix("0x"))) for text in fields["code_hashes"]
        )
        if [len(found) for found in hashes] != [32] * len(PARTS):
            raise ValueError(f"code_hashes are not {len(PARTS)} times 32 bytes")
        return cls(
            chain_id=_natural(fields, "chain_id"),
            contract=address_from_hex(fields["contract"]),
            deployed_block=BlockNumber(_natural(fields, "deployed_block")),
            code_hashes=hashes,
            validators=tuple(address_from_hex(text) for text in fields["validators"]),
            threshold=_natural(fields, "threshold"),
            constants=Constants.from_json(fields["constants"]),
            finality_depth=_natural(fields, "finality_depth"),
            finality=_finality(fields["finality"]),
        )


def _ask(rpc: CodeSource, address: Address, part: str, name: str) -> tuple[Any, ...]:
    answer = rpc.call(address, encode(name, contract=part))
    return decode_result(name, answer, contract=part)


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
