"""Round-robin: everybody once per task, and everybody first in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.types import Address
from node.placement import RoundRobin

addresses = st.binary(min_size=20, max_size=20).map(Address)


def test_without_hosts_there_is_no_order() -> None:
    assert RoundRobin().order([]) == []


@given(st.lists(addresses, min_size=1, max_size=7, unique=True), st.integers(0, 100))
def test_in_n_tasks_each_host_is_first_once(hosts: list[Address], start: int) -> None:
    placement = RoundRobin(start)
    orders = [placement.order(hosts) for _ in hosts]
    assert all(sorted(order) == sorted(hosts) for order in orders)
    assert sorted(order[0] for order in orders) == sorted(hosts)


@given(st.permutations([Address(bytes([n]) * 20) for n in range(5)]))
def test_the_order_of_connections_does_not_matter(hosts: list[Address]) -> None:
    assert RoundRobin(3).order(hosts) == RoundRobin(3).order(sorted(hosts))


def test_no_hosts_do_not_cost_a_turn() -> None:
    hosts = [Address(bytes([n]) * 20) for n in range(3)]
    placement = RoundRobin()
    placement.order([])
    assert placement.order(hosts) == hosts
    assert placement.order(hosts) == [hosts[1], hosts[2], hosts[0]]
