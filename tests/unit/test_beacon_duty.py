"""A validator's part in the beacon: what it sends when, and what only its key can tell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from ledger import claim_calls
from ledger.abi import ContractReverted
from ledger.contracts import contracts_of
from ledger.docket import BeaconState
from ledger.errors import ChainError
from ledger.reader import Reader
from ledger.sender import Sender
from ledger.types import Digest
from node.beacon_duty import AHEAD, BACK, BeaconDuty, secret_of
from tests.unit.node_world import DOMAIN, NOW, ManualClock, credentials, key
from tests.unit.validator_fakes import ME, FakeReader, FakeSender

PERIOD, REVEAL = 1_000, 100
RUNNING = NOW // PERIOD
FRESH = BeaconState(False, False, 0, 0, None, None)
COMMITTED = BeaconState(True, False, 3, 0, None, None)
REVEALED = BeaconState(True, True, 3, 3, None, None)


class Duty:
    """One validator, at a time counted in periods from the running one."""

    def __init__(self) -> None:
        self.clock, self.reader, self.sender = ManualClock(), FakeReader(), FakeSender()
        self.duty = BeaconDuty(
            credentials(11, self.clock),
            cast(Reader, self.reader),
            cast(Sender, self.sender),
            *(PERIOD, REVEAL),
        )
        for period in range(RUNNING + 1, RUNNING + 1 + AHEAD):
            self.reader.beacons[period] = COMMITTED

    def round(self, at: float = 0.5) -> int:
        self.clock.time = (RUNNING + at) * PERIOD
        return asyncio.run(self.duty.round())

    @property
    def calldata(self) -> list[bytes]:
        beacon = contracts_of(DOMAIN.contract).beacon
        assert all(to == beacon for to, _ in self.sender.sent)
        return [data for _, data in self.sender.sent]


@pytest.fixture
def duty() -> Duty:
    return Duty()


def secret(period: int) -> Digest:
    return secret_of(key(11), DOMAIN.contract, DOMAIN.chain_id, period)


def test_secrets_are_committed_to_before_their_period_begins(duty: Duty) -> None:
    duty.reader.beacons.clear()
    assert duty.round() == AHEAD
    periods = range(RUNNING + 1, RUNNING + 1 + AHEAD)
    made = {p: claim_calls.secret_commitment(DOMAIN, ME, p, secret(p)) for p in periods}
    assert duty.calldata == [claim_calls.commit_secret(p, made[p]) for p in periods]


def test_a_commitment_is_sent_once_until_the_index_shows_that_it_was_lost(duty: Duty) -> None:
    del duty.reader.beacons[RUNNING + 1]
    assert [duty.round(), duty.round()] == [1, 0]
    duty.reader.number = 8
    assert duty.round() == 1


def test_a_secret_is_told_only_when_its_period_is_over(duty: Duty) -> None:
    duty.reader.beacons[RUNNING] = COMMITTED
    assert duty.round(0.999) == 0
    duty.reader.beacons[RUNNING + 3] = COMMITTED
    assert duty.round(1.0) == 1
    assert duty.calldata == [claim_calls.reveal_secret(ME, RUNNING, secret(RUNNING))]


@pytest.mark.parametrize("state", [FRESH, REVEALED])
def test_what_was_not_committed_or_is_told_is_not_told(duty: Duty, state: BeaconState) -> None:
    duty.reader.beacons[RUNNING - 1] = state
    assert duty.round(0.05) == 0


def test_after_the_reveals_the_beacon_is_fixed_step_by_step(duty: Duty) -> None:
    last = RUNNING - 1
    duty.reader.beacons[last] = REVEALED
    assert duty.round(REVEAL / PERIOD) == 1
    duty.reader.beacons[last] = replace(REVEALED, kind="named")
    duty.reader.number = 8
    assert duty.round(0.2) == 1
    assert duty.calldata == [claim_calls.fix_beacon(last)] * 2
    for kind in ("known", "none"):
        duty.reader.beacons[last] = replace(REVEALED, kind=kind)
        duty.reader.number = 9
        assert duty.round(0.3) == 0


def test_a_period_that_nobody_committed_to_is_left_alone(duty: Duty) -> None:
    duty.reader.beacons[RUNNING - 1] = FRESH
    assert duty.round() == 0


def test_old_periods_are_left_alone(duty: Duty) -> None:
    duty.reader.beacons[RUNNING - BACK] = REVEALED
    duty.reader.beacons[RUNNING - BACK - 1] = REVEALED
    assert duty.round() == 1
    assert duty.calldata == [claim_calls.fix_beacon(RUNNING - BACK)]


def test_what_another_validator_did_first_is_no_error(duty: Duty) -> None:
    duty.reader.beacons[RUNNING - 1] = REVEALED
    duty.sender.refuse = ContractReverted("not now", error="NotNow")
    assert duty.round() == 0
    duty.sender.refuse = ChainError("away")
    with pytest.raises(ChainError, match="away"):
        duty.round()


def test_secrets_differ_by_key_period_contract_and_chain() -> None:
    other = b"\xbb" * 20
    found = {
        secret_of(key(11), DOMAIN.contract, 1, 5),
        secret_of(key(12), DOMAIN.contract, 1, 5),
        secret_of(key(11), other, 1, 5),
        secret_of(key(11), DOMAIN.contract, 2, 5),
        secret_of(key(11), DOMAIN.contract, 1, 6),
    }
    assert len(found) == 5
    assert secret_of(key(11), DOMAIN.contract, 1, 5) in found, "it is another one each time"
