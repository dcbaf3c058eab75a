"""The layout rules, read off the syntax trees: who may import whom, and who may touch the world.

Whoever adds a module that needs an exception adds it to the tables below, with the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ledger", "node", "canaries")

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "ledger": frozenset({"ledger"}),
    "canaries": frozenset({"canaries"}),
    "node": frozenset({"node", "ledger", "canaries"}),
}

# Pure modules: values in, values out. Time and randomness come in as arguments.
PURE = (
    "canaries.commitment",
    "canaries.dlog",
    "canaries.draw",
    "canaries.factor",
    "canaries.family",
    "canaries.preimage",
    "canaries.schedule",
    "canaries.validator_test",
    "ledger.anchoring",
    "ledger.assets",
    "ledger.creation",
    "ledger.client.errors",
    "ledger.client.stream",
    "ledger.desk.draw",
    "ledger.desk.views_explore",
    "ledger.desk.views_migration",
    "ledger.desk.views_overview",
    "ledger.desk.views_participation",
    "ledger.desk.views_search",
    "ledger.desk.views_why",
    "ledger.desk.wording",
    "ledger.eip712",
    "ledger.errors",
    "ledger.merkle",
    "ledger.proof_block",
    "ledger.proof_check",
    "ledger.proof_format",
    "ledger.proof_parts",
    "ledger.proof_rules",
    "ledger.proof_story",
    "ledger.proof_trie",
    "ledger.reasons",
    "ledger.record",
    "ledger.refusals",
    "ledger.tally",
    "ledger.types",
    "ledger.validator_test",
    "node.admission",
    "node.agent_protocol",
    "node.agent_records",
    "node.agent_replies",
    "node.compile_command",
    "node.migration",
    "node.placement",
    "node.strategy.combine",
    "node.strategy.pairs",
    "node.strategy.rules",
    "node.strategy.thesis",
    "node.task",
    "node.wasm_form",
    "node.wire",
)
IMPURE = frozenset(
    {"asyncio", "logging", "os", "random", "socket", "sqlite3", "subprocess", "time", "web3"}
)

# What reaches outside, and the few modules that may, each with what it does there.
JSON_RPC: Mapping[str, str] = {
    "ledger.embedded": "what only a chain of one's own can do, through ledger.rpc",
    "ledger.rpc": "the one client of the chain",
    "ledger.rpc_proofs": "asks for what a proof takes, through ledger.rpc",
    "ledger.rpc_values": "reads its answers, and names the method for a block",
}
SQLITE: Mapping[str, str] = {
    "canaries.vault": "the home's unopened answers",
    "ledger.audit_copy": "compares the copy with what it recounted, read-only",
    "ledger.browse": "reads what the page shows",
    "ledger.desk.queries.at_block": "takes what came after a block off the roll-ups",
    "ledger.desk.queries.facet_scan": "counts row by row where no roll-up does",
    "ledger.desk.queries.facets": "counts by roll-up, or row by row",
    "ledger.desk.queries.nodes": "lists nodes",
    "ledger.desk.queries.overview": "the totals",
    "ledger.desk.queries.rule": "proposals, rounds, beacons, puzzles, the ledger's own life",
    "ledger.desk.queries.seats": "who sat among the validators",
    "ledger.desk.queries.search": "looks up whatever a string may name",
    "ledger.desk.queries.streams": "turns a query into SQL",
    "ledger.desk.queries.validators": "how validators vote",
    "ledger.desk.api_logs": "reads the raw logs for the stream of events",
    "ledger.desk.api_votes": "reads the votes that the API lists",
    "ledger.desk.budget": "ends a question that takes too long",
    "ledger.digests": "checks the copy row by row",
    "ledger.docket": "reads what waits for a validator",
    "ledger.earlier": "answers the projection from the rows of earlier events",
    "ledger.explore_data.plugins.kudos_cells": "gives Datasette's connections two functions",
    "ledger.facet_rollups": "keeps the desk's sums inside the store's transaction",
    "ledger.facet_schema": "adds the desk's tables to the copy",
    "ledger.outbox": "what still has to be settled, durable",
    "ledger.open_copy": "opens the copy, read-only",
    "ledger.rollups": "keeps the totals inside the store's transaction",
    "ledger.schema": "creates and upgrades the copy",
    "ledger.standing": "reads how nodes stand with each other",
    "ledger.store": "the indexed copy",
    "ledger.timed_out": "reads which claims have waited too long",
    "node.ballot_box": "a validator's votes between commitment and reveal, durable",
    "node.agent_book": "migrations of other schedulers, durable before they are told",
    "node.demo.checks": "looks at the nodes' own files from beside them, read-only",
    "node.demo.report": "reads the nodes' own counters, read-only",
    "node.journal": "signed assets, durable before they are acknowledged",
}
PROCESSES: Mapping[str, str] = {
    "ledger.compile": "knows how a compiler fails that does not start",
    "ledger.embedded": "starts and stops the embedded chain",
    "ledger.explore": "starts Datasette",
    "node.demo.build": "runs make",
    "node.demo.cluster": "starts and stops nodes and validators",
    "node.demo.project": "builds the demo's project for reference",
    "node.execution": "runs the task in the sandbox",
    "node.sandbox": "asks bubblewrap what it can do",
    "node.shim": "becomes the local compiler",
    "node.toolchain": "asks the compiler who it is",
}

# Ways to import that the import statements do not show.
DYNAMIC = frozenset({"__import__", "import_module", "importlib.import_module"})

# The modules that run tasks, and all that they draw in, must not be able to see answers.
BLIND = ("node.execution", "node.sandbox", "node.staging", "node.wasm_run", "node.wasm_runtime")

MAX_LINES = 300
# Longer modules, each with the reason why splitting it would make it worse.
LONGER: Mapping[str, str] = {
    "ledger.event_types": "one declaration for each event of the contracts, and nothing else",
}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the three packages by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text("utf-8"))


def resolve(module: str, node: ast.ImportFrom) -> str:
    """The absolute name that a ``from ... import`` starts from."""
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    # Inside a package's __init__ the first dot is the package itself.
    drop = node.level - (modules()[module].name == "__init__.py")
    parts = parts[: len(parts) - drop]
    return ".".join([*parts, node.module] if node.module else parts)


def imports_in(module: str, root: ast.AST) -> Iterator[str]:
    for node in ast.walk(root):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve(module, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in DYNAMIC:
            yield from (str(name.value) for name in node.args if isinstance(name, ast.Constant))


@cache
def imports(module: str) -> frozenset[str]:
    """Every dotted name that a module imports, anywhere in its text."""
    return frozenset(imports_in(module, tree(module)))


def tops(module: str) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imports(module))


def attributes(module: str) -> frozenset[str]:
    """Dotted expressions such as ``asyncio.create_subprocess_exec``, as written."""
    found = (node for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute))
    return frozenset(ast.unparse(node) for node in found)


def reachable(module: str, package: str) -> frozenset[str]:
    """The modules of ``package`` that importing ``module`` draws in, itself included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        # Importing a.b runs a/__init__.py as well.
        parents = {current.rpartition(".")[0]} - {""}
        waiting += [
            name
            for name in imports(current) | parents
            if name in modules() and name.partition(".")[0] == package
        ]
    return frozenset(seen)


def test_there_is_something_to_look_at() -> None:
    assert {name.partition(".")[0] for name in modules()} == set(PACKAGES)
    assert len(modules()) > len(PACKAGES)


@pytest.mark.parametrize("module", modules())
def test_packages_import_only_downwards(module: str) -> None:
    ours = tops(module) & frozenset(PACKAGES)
    assert ours <= MAY_IMPORT[module.partition(".")[0]]


@pytest.mark.parametrize("module", modules())
def test_no_module_imports_the_tests(module: str) -> None:
    assert not tops(module) & {"tests", "tools", "benchmarks"}


LISTED = sorted({*PURE, *JSON_RPC, *SQLITE, *PROCESSES, *BLIND, *LONGER})


@pytest.mark.parametrize("module", LISTED)
def test_a_listed_module_exists(module: str) -> None:
    assert module in modules(), f"{module} is gone: correct the tables of this test"


@pytest.mark.parametrize("module", [name for name in PURE if name in modules()])
def test_pure_modules_touch_nothing(module: str) -> None:
    assert not tops(module) & IMPURE


@pytest.mark.parametrize("module", [name for name in BLIND if name in modules()])
def test_what_runs_tasks_cannot_see_answers(module: str) -> None:
    seeing = {name for name in reachable(module, "node") if "canaries" in tops(name)}
    assert not seeing


def speaks_json_rpc(module: str) -> bool:
    web3 = {name for name in imports(module) if name.partition(".")[0] == "web3"}
    literals = (node for node in ast.walk(tree(module)) if isinstance(node, ast.Constant))
    methods = {node.value for node in literals if isinstance(node.value, str)}
    return bool(web3) or any(name.startswith(("eth_", "anvil_", "evm_")) for name in methods)


def uses_sqlite(module: str) -> bool:
    return bool(tops(module) & {"sqlite3", "sqlite_utils"})


def starts_processes(module: str) -> bool:
    os_calls = {"os.system", "os.popen", "os.fork", "os.posix_spawn"}
    used = attributes(module)
    return (
        bool(tops(module) & {"subprocess", "multiprocessing", "pty"})
        or bool(used & os_calls)
        or any(name.startswith(("os.exec", "os.spawn")) for name in used)
        or any("create_subprocess" in name for name in used | imports(module))
        or any(name.endswith((".subprocess_exec", ".subprocess_shell")) for name in used)
    )


@pytest.mark.parametrize("module", sorted(set(modules()) - set(JSON_RPC)))
def test_one_module_speaks_json_rpc(module: str) -> None:
    assert not speaks_json_rpc(module)


@pytest.mark.parametrize("module", sorted(set(modules()) - set(SQLITE)))
def test_few_modules_speak_sqlite(module: str) -> None:
    assert not uses_sqlite(module)


@pytest.mark.parametrize("module", sorted(set(modules()) - set(PROCESSES)))
def test_few_modules_start_processes(module: str) -> None:
    assert not starts_processes(module)


@pytest.mark.parametrize(
    ("module", "reaches_outside"),
    [
        *((name, speaks_json_rpc) for name in JSON_RPC),
        *((name, uses_sqlite) for name in SQLITE),
        *((name, starts_processes) for name in PROCESSES),
    ],
)
def test_no_permission_is_left_over(module: str, reaches_outside: Callable[[str], bool]) -> None:
    assert module not in modules() or reaches_outside(module), "take it off the list"


@pytest.mark.parametrize("module", modules())
def test_modules_stay_short(module: str) -> None:
    length = len(modules()[module].read_text("utf-8").splitlines())
    if module in LONGER:
        assert length > MAX_LINES, f"{module} is short again: take it off the list"
    else:
        assert length <= MAX_LINES
