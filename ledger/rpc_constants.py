"""What a ledger was created with, asked of its contracts."""

from __future__ import annotations

from typing import Any

from ledger.abi import BEACON, CLAIMS, LEDGER, QUEUE, decode_result, encode
from ledger.creation import Constants, part_addresses
from ledger.rpc import Rpc
from ledger.types import Address, address_from_hex


def read(rpc: Rpc, contract: Address) -> Constants:
    """All constants of the ledger at this address; ChainError where there is none."""
    addresses = part_addresses(contract)

    def ask(part: str, name: str) -> tuple[Any, ...]:
        answer = rpc.call(addresses[part], encode(name, contract=part))
        return decode_result(name, answer, contract=part)

    difficulty, per_host = ask(CLAIMS, "puzzleLimits")
    return Constants(
        epoch_seconds=ask(LEDGER, "epochSeconds")[0],
        k1_per_host_and_epoch=ask(LEDGER, "k1PerHostAndEpoch")[0],
        k2_per_pair_and_epoch=ask(LEDGER, "k2PerPairAndEpoch")[0],
        queue_delay_seconds=ask(QUEUE, "delay")[0],
        round_seconds=ask(CLAIMS, "commitSeconds")[0],
        draw_rate=ask(CLAIMS, "drawRate")[0],
        puzzle_difficulty=difficulty,
        puzzles_per_host=per_host,
        beacon_period_seconds=ask(BEACON, "periodSeconds")[0],
        beacon_reveal_seconds=ask(BEACON, "revealSeconds")[0],
        predecessor=address_from_hex(ask(LEDGER, "predecessor")[0]),
    )
