"""Shows that the halmos checks can fail: breaks the contracts in a copy, wants counterexamples.

    python tools/break_proofs.py

Each break takes away what one check says; halmos must answer FAIL to that check. Exits with 1 when
a check passes on a broken contract: then it proves nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SYMBOLIC = "contracts/test/symbolic"
STEP_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Break:
    """One text of one contract that reads otherwise, and the check that must notice."""

    path: str
    before: str
    after: str
    suite: str
    check: str


BREAKS = (
    Break(
        "libraries/Tally.sol",
        "for (uint256 k = quorum; k > 0; --k) {",
        "for (uint256 k = 1; k <= quorum; ++k) {",
        "SymbolicLibraries",
        "check_atLeastIsTheCount",
    ),
    Break(
        "libraries/Assets.sol",
        "keccak256(abi.encode(kind, family, parameters, salt))",
        "keccak256(abi.encode(kind, family, parameters, salt >> 8))",
        "SymbolicLibraries",
        "check_commitmentOpensInOneWayOnly",
    ),
    Break(
        "libraries/Sequences.sol",
        "cursor.bits |= 1 << (seq & 0xff);",
        "cursor.bits = 1 << (seq & 0xff);",
        "SymbolicLibraries",
        "check_usedNumberStaysUsed",
    ),
    Break(
        "Voting.sol",
        "if ((head.voters >> seat) & 1 == 1) revert VotedBefore();",
        "",
        "SymbolicLedger",
        "check_noSecondVote",
    ),
    Break(
        "Settlement.sol",
        "if (count.claims >= K1_PER_HOST_AND_EPOCH) return false;",
        "",
        "SymbolicLedger",
        "check_k1Cap",
    ),
)


def copy_project(directory: Path, suite: str) -> None:
    """What halmos needs of the project, with one of the suites."""
    shutil.copytree(ROOT / "contracts", directory / "contracts")
    for suite_file in (directory / SYMBOLIC).glob("Symbolic*.sol"):
        if suite_file.stem not in (suite, "SymbolicBase"):
            suite_file.unlink()
    (directory / "tools").mkdir()
    shutil.copy2(ROOT / "tools/solc", directory / "tools/solc")
    for name in ("foundry.toml", "package.json"):
        shutil.copy2(ROOT / name, directory / name)
    (directory / "node_modules").symlink_to(ROOT / "node_modules")


def is_noticed(broken: Break) -> bool:
    """Whether halmos finds a counterexample on the broken contract."""
    with tempfile.TemporaryDirectory(prefix="kudos-broken-") as name:
        directory = Path(name)
        copy_project(directory, broken.suite)
        path = directory / "contracts" / broken.path
        text = path.read_text("utf-8")
        if text.count(broken.before) != 1:
            sys.exit(f"break_proofs: {broken.path} does not hold `{broken.before}` once any more.")
        path.write_text(text.replace(broken.before, broken.after), "utf-8")
        done = subprocess.run(
            [
                *("halmos", "--contract", broken.suite, "--function", broken.check),
                *("--loop", "20", "--no-status", "--early-exit", "--solver-threads", "1"),
            ],
            cwd=directory,
            env=dict(os.environ, FOUNDRY_SRC=SYMBOLIC, FOUNDRY_TEST=SYMBOLIC),
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
    print(done.stdout[done.stdout.find("Running") :].strip() or done.stderr, flush=True)
    return "Counterexample" in done.stdout and f"[FAIL] {broken.check}" in _plain(done.stdout)


def _plain(text: str) -> str:
    return text.replace("\x1b[31m", "").replace("\x1b[0m", "")


def main() -> int:
    if shutil.which("halmos") is None or shutil.which("forge") is None:
        sys.exit("break_proofs: halmos and forge must be on the path; run `make broken-proofs`.")
    unnoticed = 0
    for broken in BREAKS:
        print(f"\n{broken.path}: {broken.before}  ->  {broken.after or '(nothing)'}")
        if is_noticed(broken):
            continue
        unnoticed += 1
        print(f"break_proofs: {broken.check} did not notice.")
    print(f"\n{len(BREAKS) - unnoticed} of {len(BREAKS)} breaks noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
