"""Mutation of the ledger: small faults, put in one at a time; the forge tests must notice each.

    python -m tools.mutate [--seed WORD] [--count N] [--only Voting.sol]

The mutated ledger takes the place of the sound one below the core's tests, which are compiled
already. What survives that, in a library, is compiled into the library's own tests. Works on a copy
that holds what these tests import; compiles without the optimizer's long way, and leaves out the
invariants and the tests of satellites and of the whole system, so what they alone would notice
counts as a survivor. Exits with 1 when fewer than 90 % are noticed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tools.mutants import ROOT, Mutant, find_mutants

CORE_TESTS = (
    *("Bugs", "Coverage", "Golden", "Rules", "Seats", "Settle", "StepPlaces", "Steps"),
    *("Token", "Vote", "Wallet"),
)
LIBRARY_TESTS = ("Golden", "Libraries", "Token")
TESTS = "contracts/test"
# Found by its name, not compiled into the tests; a test of the block's own time takes the other.
LEDGER = "contracts/test/KudosLedgerHarness.sol"
PLAIN_LEDGER = "contracts/KudosLedger.sol"
DEMANDED = 0.9
# An endless loop runs into the gas limit; this is for a machine that is too busy, and proves
# nothing.
STEP_SECONDS = 900
# The first run compiles all tests.
FIRST_SECONDS = 1800
LAST_WORDS = 2000
SETTINGS: Mapping[str, Any] = {
    "viaIR": True,
    "evmVersion": "prague",
    "metadata": {"bytecodeHash": "none"},
    "optimizer": {
        "enabled": True,
        "runs": 1,
        "details": {"yul": True, "yulDetails": {"stackAllocation": True, "optimizerSteps": ":"}},
    },
}
FOUNDRY = """[profile.default]
src = "contracts"
test = "contracts/test"
libs = []
solc = "tools/solc"
offline = true
via_ir = true
optimizer = true
optimizer_runs = 1
optimizer_details = { yul = true, yulDetails = { stackAllocation = true, optimizerSteps = ":" } }
evm_version = "prague"
bytecode_hash = "none"
code_size_limit = 200000
fs_permissions = [{ access = "read", path = "./contracts" }]
fuzz = { runs = 16, seed = "0x6b75646f73" }
[lint]
lint_on_build = false
"""

IMPORT = re.compile(r'^import .*?"(\.[^"]+)";', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a mutant ended: ``killed``, ``survived``, ``unjudged`` when a step took too long, or
    ``invalid`` when it does not compile."""

    mutant: Mutant
    state: str
    seconds: float


def imported(paths: Sequence[Path]) -> set[Path]:
    """These sources, and all that they import."""
    found: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        names = IMPORT.findall(path.read_text("utf-8"))
        waiting += [(path.parent / name).resolve() for name in names]
    return found


class Workshop:
    """A copy of the project in which mutants are compiled and tested."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        roots = [ROOT / TESTS / f"{name}.t.sol" for name in {*CORE_TESTS, *LIBRARY_TESTS}]
        for source in imported([*roots, ROOT / LEDGER, ROOT / PLAIN_LEDGER]):
            target = directory / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        for name in ("contracts/types", f"{TESTS}/golden"):
            shutil.copytree(ROOT / name, directory / name)
        (directory / "tools").mkdir()
        shutil.copy2(ROOT / "tools/solc", directory / "tools/solc")
        shutil.copy2(ROOT / "package.json", directory)
        (directory / "node_modules").symlink_to(ROOT / "node_modules")
        (directory / "foundry.toml").write_text(FOUNDRY, "utf-8")

    def tests_pass(self, names: Sequence[str]) -> bool:
        """Whether the tests of these names pass on what lies in the copy now."""
        return self._test("--match-path", f"{TESTS}/{{{','.join(names)}}}.t.sol").returncode == 0

    def prepare(self) -> str:
        """Compiles and runs all tests on the sound contracts; what forge says if any fails."""
        done = self._test(seconds=FIRST_SECONDS)
        return "" if done.returncode == 0 else (done.stdout + done.stderr)[-LAST_WORDS:]

    def judge(self, mutant: Mutant) -> str:
        """Puts one fault in, sees what happens, and takes it out again."""
        path = self.directory / mutant.path
        sound = path.read_text("utf-8")
        lines = sound.splitlines()
        lines[mutant.line - 1] = mutant.after
        mutated = "\n".join(lines) + "\n"
        try:
            path.write_text(mutated, "utf-8")
            code = self._compile()
            # The tests' sources have not changed, so that forge does not compile them again.
            path.write_text(sound, "utf-8")
            if code is None:
                return "invalid"
            if not self._pass_over(code):
                return "killed"
            if path.parent.name != "libraries":
                return "survived"
            path.write_text(mutated, "utf-8")
            return "survived" if self._library_tests_pass() else "killed"
        except subprocess.TimeoutExpired:
            return "unjudged"
        finally:
            path.write_text(sound, "utf-8")

    def _pass_over(self, code: Any) -> bool:
        """Whether the core's tests pass with the ledger replaced by this code."""
        stem = Path(LEDGER).stem
        path = self.directory / f"out/{stem}.sol/{stem}.json"
        kept = path.read_text("utf-8")
        artifact = json.loads(kept)
        for part in ("bytecode", "deployedBytecode"):
            artifact[part]["object"] = "0x" + code[part]["object"]
        path.write_text(json.dumps(artifact), "utf-8")
        try:
            return self.tests_pass(CORE_TESTS)
        finally:
            path.write_text(kept, "utf-8")

    def _library_tests_pass(self) -> bool:
        for name in ("out", "cache"):
            shutil.copytree(self.directory / name, self.directory / f"{name}.sound")
        try:
            return self.tests_pass(LIBRARY_TESTS)
        finally:
            for name in ("out", "cache"):
                shutil.rmtree(self.directory / name)
                (self.directory / f"{name}.sound").rename(self.directory / name)

    def _test(self, *only: str, seconds: float = STEP_SECONDS) -> subprocess.CompletedProcess[str]:
        forge = str(ROOT / "node_modules/.bin/forge")
        return self._run([forge, "test", "--fail-fast", *only], seconds=seconds)

    def _compile(self) -> Any:
        """The mutated ledger's code; None when the compiler refuses it."""
        sources = {
            path.relative_to(self.directory).as_posix(): {"content": path.read_text("utf-8")}
            for path in imported([self.directory / LEDGER])
        }
        wanted = ["evm.bytecode.object", "evm.deployedBytecode.object"]
        request = {
            "language": "Solidity",
            "sources": sources,
            "settings": {**SETTINGS, "outputSelection": {LEDGER: {"*": wanted}}},
        }
        done = self._run(["tools/solc", "--standard-json"], json.dumps(request))
        answer = json.loads(done.stdout)
        if any(error["severity"] == "error" for error in answer.get("errors", ())):
            return None
        return answer["contracts"][LEDGER][Path(LEDGER).stem]["evm"]

    def _run(
        self, command: Sequence[str], text: str = "", seconds: float = STEP_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def report(verdicts: Sequence[Verdict], found: int, seed: str) -> int:
    """Prints the table; 1 when too many survived."""
    states = Counter(verdict.state for verdict in verdicts)
    valid = len(verdicts) - states["invalid"]
    print(f"\nseed {seed}: {len(verdicts)} of {found} mutants, {states['invalid']} do not compile")
    print(f"killed {states['killed']} of {valid}, {states['unjudged']} took too long to tell")
    for mutant in (verdict.mutant for verdict in verdicts if verdict.state == "survived"):
        print(f"\nsurvived: {mutant.path}:{mutant.line} ({mutant.kind})")
        print(f"  - {mutant.before.strip()}\n  + {mutant.after.strip()}")
    return 0 if valid and states["killed"] >= DEMANDED * valid else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", default="kudos", help="which sample is drawn")
    parser.add_argument("--count", type=int, default=60, metavar="N", help="how many mutants")
    parser.add_argument("--only", metavar="FILE", help="of one file alone, such as Voting.sol")
    options = parser.parse_args()
    found = find_mutants(options.only)
    sample = Random(options.seed).sample(found, min(options.count, len(found)))
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="kudos-mutants-") as name:
        workshop = Workshop(Path(name))
        if said := workshop.prepare():
            print(said, file=sys.stderr)
            print("mutate: the tests fail without any fault; repair them first.", file=sys.stderr)
            return 2
        for number, mutant in enumerate(sample, start=1):
            started = time.monotonic()
            state = workshop.judge(mutant)
            verdicts.append(Verdict(mutant, state, time.monotonic() - started))
            place = f"{mutant.path}:{mutant.line} {mutant.kind}"
            print(f"{number}/{len(sample)} {state} {place} {verdicts[-1].seconds:.0f}s", flush=True)
    return report(verdicts, len(found), options.seed)


if __name__ == "__main__":
    sys.exit(main())
