"""Writes the golden vectors that Python and Solidity are both tested against.

    python tools/golden.py [--check]

Values are drawn from a fixed seed; digests come from ``ledger``. ``tests/unit/test_golden.py``
compares them with eth-account as an independent oracle, ``contracts/test/Golden*.t.sol`` with what
the contracts compute.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from eth_hash.auto import keccak

from canaries.commitment import Mark, Place, commitment, seal
from ledger import assets, merkle, record
from ledger.eip712 import Domain, digest
from ledger.keys import Key
from ledger.types import Address, Digest, hex_of
from tools import golden_satellites
from tools.golden_values import Draw, case

TARGET = Path(__file__).parent.parent / "contracts/test/golden/vectors.json"
CHAIN_ID = 31_337
NOW = 1_790_000_000


def main() -> int:
    text = json.dumps(vectors(), indent=1) + "\n"
    if "--check" in sys.argv:
        return 0 if TARGET.read_text("utf-8") == text else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, "utf-8")
    return 0


def vectors() -> dict[str, Any]:
    draw = Draw("kudos golden vectors 1")
    domain = Domain(CHAIN_ID, Address(draw.bytes(20)))
    return {
        "domain": {
            "chainId": domain.chain_id,
            "verifyingContract": hex_of(domain.contract),
            "separator": hex_of(domain.separator),
        },
        "timestamp": NOW,
        "cases": [case(domain, asset) for _ in range(4) for asset in _assets(draw)],
        "commitments": [_commitment(domain, draw, kind) for kind in (0, 1, 1)],
        "seals": [_seal(draw) for _ in range(3)],
        "batches": [_batch(domain, draw, *shape) for shape in ((1, 0), (0, 1), (5, 3), (61, 67))],
        **golden_satellites.vectors(domain, NOW),
    }


def _assets(draw: Draw) -> list[assets.Asset]:
    return [
        request(
            draw,
            Address(draw.bytes(20)),
            Address(draw.bytes(20)),
            draw.number(0, 1 << 32),
        ),
        assets.Accepted(draw.digest(), draw.number(0, 1 << 40)),
        assets.Rejected(draw.digest(), draw.number(1, 8), draw.number(0, 1 << 40)),
        assets.Confirmed(draw.digest(), draw.number(0, 1 << 40)),
        assets.Result(draw.digest(), draw.digest(), draw.number(0, 1 << 40)),
        _opened(draw),
        assets.Kudos(draw.number(1, 4), draw.digest(), draw.digest(), draw.digest()),
        assets.Batch(Address(draw.bytes(20)), draw.digest()),
        assets.TransportKey(draw.digest(), draw.number(0, 1 << 40)),
        assets.TransportLogin(draw.digest(), draw.digest()),
    ]


def _opened(draw: Draw) -> assets.CanaryOpened:
    request_id, result_id, task = draw.digest(), draw.digest(), draw.digest()
    family, parameters, salt = draw.digest(), draw.digest(), draw.digest()
    signed_at = draw.number(0, 1 << 40)
    return assets.CanaryOpened(request_id, result_id, task, family, parameters, salt, signed_at)


def request(draw: Draw, home: Address, host: Address, seq: int) -> assets.Request:
    """A request signed at most two hours before NOW whose deadline is still ahead."""
    at = NOW - draw.number(60, 7_200)
    numbers = (draw.number(1, 600), draw.number(1, 4_096), draw.number(1, 1 << 20))
    texts = (draw.digest(), assets.process_name_field("cc server.c"), draw.digest())
    return assets.Request(home, host, *texts, *numbers, seq, NOW + draw.number(60, 3_600), at)


def _commitment(domain: Domain, draw: Draw, kind: int) -> dict[str, Any]:
    family = b"replay".ljust(32, b"\0") if kind else bytes(32)
    mark = Mark(kind, family, draw.bytes(32) if kind else bytes(32), draw.bytes(32))
    place = Place(
        domain.chain_id,
        domain.contract,
        draw.bytes(20),
        draw.bytes(20),
        draw.number(0, 1 << 32),
    )
    task = draw.bytes(32)
    return {
        "home": hex_of(place.home),
        "host": hex_of(place.host),
        "seq": place.seq,
        "taskDigest": hex_of(task),
        "kind": mark.kind,
        "family": hex_of(mark.family),
        "parameters": hex_of(mark.parameters),
        "salt": hex_of(mark.salt),
        "markHash": hex_of(mark.hash),
        "commitment": hex_of(commitment(place, task, mark.hash)),
    }


def _seal(draw: Draw) -> dict[str, Any]:
    result, salt, host, request_id = (
        draw.bytes(32),
        draw.bytes(32),
        draw.bytes(20),
        draw.bytes(32),
    )
    return {
        "resultDigest": hex_of(result),
        "salt": hex_of(salt),
        "host": hex_of(host),
        "requestId": hex_of(request_id),
        "seal": hex_of(seal(result, salt, host, request_id)),
    }


def _batch(domain: Domain, draw: Draw, confirmed: int, rejected: int) -> dict[str, Any]:
    host = Key(PrivateKey(draw.bytes(32)))
    homes = [Key(PrivateKey(draw.bytes(32))) for _ in range(3)]
    migrations: list[assets.Migration] = []
    for seq in range(confirmed + rejected):
        home = homes[seq % 3]
        asked = request(draw, home.address, host.address, seq)
        make = _confirmed if seq < confirmed else _rejected
        migrations.append(make(domain, draw, home, asked))
    packed = record.encode_batch(migrations)
    leaves = record.leaves(domain, record.batch_order(migrations), ())
    return {
        "host": hex_of(host.address),
        "hostSignature": hex_of(
            host.sign(domain, assets.Batch(host.address, Digest(keccak(packed))))
        ),
        "batch": hex_of(packed),
        "confirmed": confirmed,
        "leaves": [hex_of(leaf) for leaf in leaves],
        "root": hex_of(merkle.root(leaves)),
        "lastPath": [hex_of(node) for node in merkle.path(leaves, len(leaves) - 1)],
    }


def _confirmed(
    domain: Domain, draw: Draw, home: Key, asked: assets.Request
) -> assets.ConfirmedMigration:
    request_id = digest(domain, asked)
    accepted = assets.Accepted(request_id, asked.signed_at + draw.number(0, 10))
    confirmed = assets.Confirmed(digest(domain, accepted), accepted.signed_at + draw.number(0, 10))
    result = assets.Result(request_id, draw.digest(), confirmed.signed_at + draw.number(0, 30))
    return assets.ConfirmedMigration(
        asked, accepted, confirmed, result, home.sign(domain, confirmed)
    )


def _rejected(
    domain: Domain, draw: Draw, home: Key, asked: assets.Request
) -> assets.RejectedMigration:
    rejected = assets.Rejected(digest(domain, asked), draw.number(1, 8), asked.signed_at + 2)
    return assets.RejectedMigration(asked, rejected, home.sign(domain, asked))


if __name__ == "__main__":
    sys.exit(main())
