"""schemathesis over the whole API: whatever is asked, the answer is one that the document names,
and never a fault of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.unit.api_site import API, ApiSite

CASES_NIGHTLY = 20_000
CASES = 600
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NO_RPC = f"{API}/proofs/"
"""Needs a chain: a service without one says so with 503, and that is its right answer."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    made = ApiSite(tmp_path_factory.mktemp("site") / "index.db")
    yield made
    made.client.close()


def known_values(site: ApiSite) -> dict[str, list[str]]:
    """Addresses and ids that are on the ledger: random ones would all be strangers."""
    nodes = [row["address"] for row in site.pages("/nodes")]
    validators = [row["address"] for row in site.get("/validators")]
    migrations = [row["request_id"] for row in site.pages("/canaries")]
    kudos = [row["id"] for row in site.pages("/kudos")][:20]
    return {
        "address": nodes + validators,
        "node": nodes,
        "validator": validators,
        "request_id": migrations,
        "asset_id": migrations + kudos,
        "kudos_id": kudos,
        "q": [*nodes, *kudos, "cc -O2 server.c", "cc", "3"],
    }


def run_cases(site: ApiSite, total: int, mode: GenerationMode, number: int = 0) -> int:
    """So many cases over all operations, in equal parts, other ones for another number; how many
    were answered."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", site.app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    operations = [each for each in operations if not each.path.startswith(NO_RPC)]
    if mode == GenerationMode.NEGATIVE:  # a question without parameters cannot be asked wrongly
        operations = [each for each in operations if each.definition.raw.get("parameters")]
    assert len(operations) > 20
    known, answered = known_values(site), 0
    each = -(-total // len(operations))

    for operation in operations:

        @seed(number)
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any, data: st.DataObject) -> None:
            nonlocal answered
            for part in (case.path_parameters, case.query):
                for name in sorted(set(part or {}) & set(known)):
                    if data.draw(st.integers(0, 2)):
                        part[name] = data.draw(st.sampled_from(known[name]))
            if case.operation.path == f"{API}/events":
                case.query["follow"] = "false"
            answered += 1
            case.call_and_validate(checks=CHECKS)

        check()
    return answered


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_question_is_too_much(site: ApiSite, mode: GenerationMode) -> None:
    assert run_cases(site, CASES // 2, mode) >= CASES // 4


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_no_question_out_of_twenty_thousand_is_too_much(site: ApiSite) -> None:
    answered = 0
    for part in range(20):
        # Hypothesis stops early where an operation has few different questions: the others get
        # more of them, until the number is reached.
        for mode in GenerationMode:
            answered += run_cases(site, CASES_NIGHTLY // 2, mode, part)
        if answered >= CASES_NIGHTLY:
            break
        assert part < 19, "the cases run out"
    assert answered >= CASES_NIGHTLY
