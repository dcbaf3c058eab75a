"""The nearest peer, measured in the same run: EAS (Ethereum Attestation Service).

Its contracts are deployed from the artifacts of its own npm package, which is fetched once into
``.cache`` and refused when it is not byte for byte the one that is named here. Nothing of the
package is run but the contracts' bytecode.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger.errors import SetupError
from ledger.sender import Sender
from ledger.types import Address, Digest

PACKAGE = "@ethereum-attestation-service/eas-contracts@1.9.0"
INTEGRITY = (
    "sha512-"
    "L60y1fgKlY3a45xxnPlgRbiGQY8RF/lF+AzF1iVoR7/aEzitS0Nuyyjq8+IXs1sSSU0dl2+yGSmELxVeB6FelA=="
)
ARCHIVE = "ethereum-attestation-service-eas-contracts-1.9.0.tgz"
WORDS = 5
ASSETS = 4
"""REQUEST, answer, CONFIRMED and RESULT, an attestation each."""
IN_ONE_BATCH = 64
"""More do not fit under the cap of 16.8 M gas for one transaction."""

_ZERO = bytes(32)
_ATTESTATION = "(address,uint64,bool,bytes32,bytes,uint256)"


def fetch(cache: Path) -> Path:
    """The package's archive, from the cache or by `npm pack`, with its hash checked either way."""
    archive = cache / ARCHIVE
    if not archive.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", "--pack-destination", str(cache), PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            raise SetupError(
                f"npm could not fetch {PACKAGE}.",
                hint="Check the network, or measure --without-eas.",
            ) from error
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise SetupError(
            f"{archive} is not the package that was pinned ({found}).",
            hint="Delete it and try again; if it stays so, do not trust the source.",
        )
    return archive


def bytecode(archive: Path, contract: str) -> bytes:
    """What creates one of the package's contracts."""
    with tarfile.open(archive) as package:
        member = package.extractfile(f"package/artifacts/contracts/{contract}.sol/{contract}.json")
        if member is None:
            raise SetupError(f"{archive} holds no {contract}.", hint="Delete it and try again.")
        return bytes.fromhex(json.load(member)["bytecode"].removeprefix("0x"))


def measure(sender: Sender, random: Random, cache: Path) -> dict[str, int]:
    """Gas for the four assets of one migration, five random words each, alone and in batches.

    They refer to nothing and are addressed to nobody's resolver: the cheapest that EAS can do, as
    what a migration needs besides (order, deadlines, sequence numbers) is not checked here.
    """
    archive = fetch(cache)
    registry = _create(sender, bytecode(archive, "SchemaRegistry"))
    eas = _create(sender, bytecode(archive, "EAS") + encode(["address"], [registry]))
    schema = _register(sender, registry)

    def single() -> int:
        call = _call("attest", [f"(bytes32,{_ATTESTATION})"], [(schema, _attestation(random))])
        return sender.send(eas, call).gas_used

    def batch() -> int:
        attestations = [_attestation(random) for _ in range(IN_ONE_BATCH)]
        call = _call("multiAttest", [f"(bytes32,{_ATTESTATION}[])[]"], [[(schema, attestations)]])
        return sender.send(eas, call).gas_used

    return {
        "eas_4_attestations": sum(_steady(single) for _ in range(ASSETS)),
        "eas_4_attestations_batched": ASSETS * _steady(batch) // IN_ONE_BATCH,
    }


def _steady(measured: Callable[[], int]) -> int:
    """The second of two: the first may pay for slots that are used for the first time."""
    measured()
    return measured()


def _create(sender: Sender, code: bytes) -> Address:
    contract = sender.send(None, code).contract
    if contract is None:
        raise SetupError("EAS was not deployed.", hint="Look into the chain's log.")
    return contract


def _register(sender: Sender, registry: Address) -> Digest:
    text = ",".join(f"bytes32 word{i}" for i in range(WORDS))
    call = _call("register", ["string", "address", "bool"], [text, bytes(20), False])
    log = sender.send(registry, call).logs[0]
    return log.topics[1]


def _attestation(random: Random) -> tuple[Any, ...]:
    return (random.randbytes(20), 0, False, _ZERO, random.randbytes(32 * WORDS), 0)


def _call(name: str, kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    signature = f"{name}({','.join(kinds)})"
    return keccak(signature.encode())[:4] + encode(kinds, values)
