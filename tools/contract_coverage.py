"""Lines and branches of the contracts that the forge tests reach; all of them are demanded.

    python tools/contract_coverage.py [--lcov FILE]

forge measures on code that the compiler has gone through the intermediate representation with
(without it the stack is too deep), and there its source maps lose two things, whatever is run: the
lines inside assembly, and those that the optimizer merges with others or moves into their callers,
such as the last `return` of a function that is inlined, or the second of two equal reverts. So an
unreached line is accepted inside an assembly block whose function was reached, and where ``MERGED``
names its text; each text there has a test that fails without it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Text of a line -> the test that fails when the line does not do what it says.
MERGED: Mapping[str, Mapping[str, str]] = {
    "contracts/ClaimVotes.sol": {
        "return Reasons.NONE;": "SecondClaimsTest.testDirectVotesOneByOne",
    },
    # Eight functions that do nothing else; the compiler has one body for all of them.
    "contracts/KudosClaims.sol": {
        "_decide();": "ClaimVotesTest and SecondClaimsTest, which go through all eight",
    },
    "contracts/KudosToken.sol": {
        "address before = PREDECESSOR;": "SecurityReviewTest.testCarryGoesThroughEveryPredecessor",
    },
    "contracts/Pairs.sol": {"return true;": "SettleTest.testK1OncePerPairAndEpoch"},
    "contracts/Settlement.sol": {"return offset;": "SettleTest.testMalformedHeads"},
    # What stands behind the last "else" is counted where it stands, but not as a branch.
    "contracts/ValidatorQueue.sol": {
        "if (agreed.kind == Kind.Set) LEDGER.applySet(agreed.seats, agreed.quorum);": (
            "ValidatorQueueTest.testFamilyIsRegistered"
        ),
        "else if (agreed.kind == Kind.Family) _register(agreed.family, agreed.implementation);": (
            "ValidatorQueueTest.testClosing"
        ),
    },
    # The two reverts of the constructor are one to the compiler, and so are assignments of `count`.
    "contracts/adapters/KudosValidationRegistry.sol": {
        "if (address(ledger).code.length == 0) revert NotALedger(address(ledger));": (
            "KudosValidationRegistryTest.testNoLedger"
        ),
        "if (claims.code.length == 0) revert NotALedger(address(ledger));": (
            "KudosValidationRegistryTest.testNoLedger"
        ),
        'else if (asked == keccak256("K3")) count = k3;': (
            "KudosValidationRegistryTest.testSummaries"
        ),
    },
    "contracts/anchored/AnchoredLedger.sol": {
        "return hosts;": "AnchoredLedgerTest.testAnchorCountsForItsHosts",
    },
}
FUNCTION = re.compile(r"^\s*(function|constructor|modifier)\b")


@dataclass(slots=True)
class FileCoverage:
    """What one file's part of the report says."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    functions: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """A line, or a branch on it, that no test reached, and why that is accepted, if it is."""

    path: str
    line: int
    what: str
    text: str
    excuse: str


def read_lcov(text: str) -> dict[str, FileCoverage]:
    """The report by file, tests left out."""
    files: dict[str, FileCoverage] = {}
    current, name_at = FileCoverage(), dict[str, int]()
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        values = value.split(",")
        if tag == "SF":
            current, name_at = files.setdefault(value, FileCoverage()), {}
        elif tag == "DA":
            current.lines[int(values[0])] = int(values[1])
        elif tag == "BRDA":
            taken = 0 if values[3] == "-" else int(values[3])
            current.branches[int(values[0]), ",".join(values[1:3])] += taken
        elif tag == "FN":
            name_at[values[-1]] = int(values[0])
        elif tag == "FNDA":
            current.functions[name_at[values[1]]] = int(values[0])
    return {path: found for path, found in files.items() if "/test/" not in path}


def assembly_lines(source: Sequence[str]) -> Iterator[int]:
    """Numbers of the lines inside assembly blocks, which are told by their indentation."""
    end = ""
    for number, line in enumerate(source, start=1):
        if end and line == end:
            end = ""
        elif end:
            yield number
        elif line.strip().startswith("assembly "):
            end = line[: len(line) - len(line.lstrip())] + "}"


def gaps_of(path: str, source: Sequence[str], found: FileCoverage) -> Iterator[Gap]:
    """What was not reached in one file."""
    assembly = frozenset(assembly_lines(source))
    unreached = [(line, "line") for line, hits in found.lines.items() if not hits]
    unreached += [(line, f"branch {name}") for (line, name), n in found.branches.items() if not n]
    for number, what in sorted(unreached):
        text = source[number - 1].strip()
        excuse = ""
        if number in assembly and _is_function_reached(number, found):
            excuse = "assembly"
        elif test := MERGED.get(path, {}).get(text):
            excuse = f"merged, see {test}"
        yield Gap(path, number, what, text, excuse)


def _is_function_reached(line: int, found: FileCoverage) -> bool:
    before = [start for start in found.functions if start <= line]
    return bool(before) and found.functions[max(before)] > 0


def measure() -> str:
    """Runs the forge tests, without the invariants, and gives the report."""
    with tempfile.TemporaryDirectory(prefix="kudos-coverage-") as name:
        report = Path(name) / "lcov.info"
        command = [
            *(str(ROOT / "node_modules/.bin/forge"), "coverage", "--ir-minimum"),
            *(
                "--no-match-contract",
                "Invariant|LedgerDriver",
                "--skip",
                "contracts/test/symbolic/**",
            ),
            *("--report", "lcov", "--report-file", str(report)),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode or not report.exists():
            sys.exit(f"coverage: forge failed.\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return report.read_text("utf-8")


def print_table(files: Mapping[str, FileCoverage], gaps: Sequence[Gap]) -> None:
    """Reached, accepted and all, by file."""
    print(f"{'file':<40}{'lines':>12}{'branches':>12}  accepted")
    for path, found in sorted(files.items()):
        lines = f"{sum(map(bool, found.lines.values()))}/{len(found.lines)}"
        branches = f"{sum(map(bool, found.branches.values()))}/{len(found.branches)}"
        accepted = sum(bool(gap.excuse) for gap in gaps if gap.path == path)
        print(f"{path:<40}{lines:>12}{branches:>12}  {accepted or ''}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lcov", type=Path, help="a report that exists, instead of a new one")
    options = parser.parse_args()
    files = read_lcov(options.lcov.read_text("utf-8") if options.lcov else measure())
    if not files:
        sys.exit("coverage: the report names no contract; the tests were not compiled.")
    gaps = [
        gap
        for path, found in sorted(files.items())
        for gap in gaps_of(path, (ROOT / path).read_text("utf-8").splitlines(), found)
    ]
    print_table(files, gaps)
    for gap in gaps:
        if gap.excuse != "assembly":
            state = gap.excuse or "NOT REACHED"
            print(f"{gap.path}:{gap.line} {gap.what}: {gap.text}  [{state}]")
    missing = [gap for gap in gaps if not gap.excuse]
    print(f"{len(missing)} lines or branches are not reached; all must be.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
