"""Mutation of the contracts: small faults, put in one at a time; the forge tests must notice each.

    python tools/mutate.py [--seed WORD] [--count N] [--only Voting.sol]

A fault is first looked for in the ledger alone: the mutated ledger takes the place of the sound one
below tests that are compiled already, which takes seconds. What survives that is compiled into all
tests, which also reaches the tests of the libraries. Works on a copy; compiles without the
optimizer's long way, and leaves out the invariant tests, so what they alone would notice counts as
a survivor. Exits with 1 when fewer than 90 % are noticed.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("KudosLedger.sol", "Settlement.sol", "Voting.sol", "Domain.sol", "libraries/*.sol")
HARNESS = "contracts/test/KudosLedgerHarness.sol"
DEMANDED = 0.9
# An endless loop runs into the gas limit; this is for a compiler or a machine that hangs.
STEP_SECONDS = 300
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

# What is looked for, and what stands there instead. Solidity is formatted by hand but evenly:
# binary operators stand between spaces, and a statement that can go stands on a line of its own.
SWAPS: Mapping[str, tuple[str, str]] = {
    r" < ": (" <= ", "boundary"),
    r" <= ": (" < ", "boundary"),
    r" > ": (" >= ", "boundary"),
    r" >= ": (" > ", "boundary"),
    r" == ": (" != ", "comparison"),
    r" != ": (" == ", "comparison"),
    r" && ": (" || ", "connective"),
    r" \|\| ": (" && ", "connective"),
    r" \+ ": (" - ", "operator"),
    r" - ": (" + ", "operator"),
    r" & ": (" | ", "operator"),
    r" \| ": (" & ", "operator"),
    r" << ": (" >> ", "operator"),
    r" >> ": (" << ", "operator"),
    r" \|= ": (" = ", "assignment"),
    r"\btrue\b": ("false", "constant"),
    r"\bfalse\b": ("true", "constant"),
}
NUMBER = re.compile(r"(?<![\w.$])(0x[0-9a-f]+|\d+)(?![\w.])")
REMOVABLE = re.compile(
    r"^\s+(if \(.*\) (revert|return|continue)\b.*;|[\w.\[\]]+ (\|=|\+=|=) .*;|\+\+[\w.\[\]()]+;)$"
)
NO_CODE = re.compile(r"^\s*(//|pragma|import|$)")
# A type hash is right or wrong as a whole, and the golden vectors compare it.
TEXT = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: this line of this file reads otherwise."""

    path: str
    line: int
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a mutant ended: ``killed``, ``survived`` or ``invalid`` when it does not compile."""

    mutant: Mutant
    state: str
    seconds: float


def mutants_of(path: str, text: str) -> Iterator[Mutant]:
    """Every fault that can be put into one file."""
    for number, line in enumerate(text.splitlines(), start=1):
        if NO_CODE.match(line) or TEXT.search(line):
            continue
        code, comment, tail = line.partition(" // ")
        for kind, changed in _changes(code):
            yield Mutant(path, number, kind, line, changed + comment + tail)


def _changes(code: str) -> Iterator[tuple[str, str]]:
    for pattern, (instead, kind) in SWAPS.items():
        for found in re.finditer(pattern, code):
            yield kind, code[: found.start()] + instead + code[found.end() :]
    for found in NUMBER.finditer(code):
        raised = str(int(found.group(), 0) + 1)
        yield "off by one", code[: found.start()] + raised + code[found.end() :]
    if REMOVABLE.match(code):
        indent = code[: len(code) - len(code.lstrip())]
        yield "removed", indent + "{}"


class Workshop:
    """A copy of the project in which mutants are compiled and tested."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(ROOT / "contracts", directory / "contracts")
        shutil.rmtree(directory / "contracts/test/symbolic", ignore_errors=True)
        (directory / "tools").mkdir()
        shutil.copy2(ROOT / "tools/solc", directory / "tools/solc")
        shutil.copy2(ROOT / "package.json", directory)
        (directory / "node_modules").symlink_to(ROOT / "node_modules")
        (directory / "foundry.toml").write_text(FOUNDRY, "utf-8")
        self.forge = ROOT / "node_modules/.bin/forge"
        self.artifact = directory / "out/KudosLedgerHarness.sol/KudosLedgerHarness.json"

    def tests_pass(self) -> bool:
        """Whether the tests pass on what lies in the copy now."""
        skip = ("--no-match-contract", "Invariant|LedgerDriver")
        return self._run([str(self.forge), "test", "--fail-fast", *skip]).returncode == 0

    def judge(self, mutant: Mutant) -> str:
        """Puts one fault in, sees what happens, and takes it out again."""
        path = self.directory / mutant.path
        sound = path.read_text("utf-8")
        lines = sound.splitlines()
        lines[mutant.line - 1] = mutant.after
        mutated = "\n".join(lines) + "\n"
        try:
            return self._judge(path, sound, mutated)
        except subprocess.TimeoutExpired:
            return "killed"
        finally:
            path.write_text(sound, "utf-8")

    def _judge(self, path: Path, sound: str, mutated: str) -> str:
        path.write_text(mutated, "utf-8")
        code = self._compile()
        if code is None:
            return "invalid"
        # The tests' sources have not changed, so that forge does not compile them again.
        path.write_text(sound, "utf-8")
        kept = self.artifact.read_text("utf-8")
        artifact = json.loads(kept)
        for part in ("bytecode", "deployedBytecode"):
            artifact[part]["object"] = "0x" + code[part]["object"]
        self.artifact.write_text(json.dumps(artifact), "utf-8")
        try:
            if not self.tests_pass():
                return "killed"
        finally:
            self.artifact.write_text(kept, "utf-8")
        path.write_text(mutated, "utf-8")
        for name in ("out", "cache"):
            shutil.copytree(self.directory / name, self.directory / f"{name}.sound")
        try:
            return "survived" if self.tests_pass() else "killed"
        finally:
            for name in ("out", "cache"):
                shutil.rmtree(self.directory / name)
                (self.directory / f"{name}.sound").rename(self.directory / name)

    def _compile(self) -> Any:
        """The mutated ledger's code; None when the compiler refuses it."""
        sources = {
            path.relative_to(self.directory).as_posix(): {"content": path.read_text("utf-8")}
            for path in (self.directory / "contracts").rglob("*.sol")
            if "test" not in path.parts or path.name == Path(HARNESS).name
        }
        wanted = {HARNESS: {"*": ["evm.bytecode.object", "evm.deployedBytecode.object"]}}
        request = {
            "language": "Solidity",
            "sources": sources,
            "settings": {**SETTINGS, "outputSelection": wanted},
        }
        done = self._run(["tools/solc", "--standard-json"], json.dumps(request))
        answer = json.loads(done.stdout)
        if any(error["severity"] == "error" for error in answer.get("errors", ())):
            return None
        return answer["contracts"][HARNESS]["KudosLedgerHarness"]["evm"]

    def _run(self, command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            input=text,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )


def find_mutants(only: str | None) -> list[Mutant]:
    """Every fault in every target, or in the one file that is asked for."""
    paths = [path for pattern in TARGETS for path in sorted((ROOT / "contracts").glob(pattern))]
    return [
        mutant
        for path in paths
        if only in (None, path.name)
        for mutant in mutants_of(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]


def report(verdicts: Sequence[Verdict], found: int, seed: str) -> int:
    """Prints the table; 1 when too many survived."""
    states = Counter(verdict.state for verdict in verdicts)
    valid = states["killed"] + states["survived"]
    print(f"\nseed {seed}: {len(verdicts)} of {found} mutants, {states['invalid']} do not compile")
    print(f"killed {states['killed']} of {valid}")
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
        if not workshop.tests_pass():
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
