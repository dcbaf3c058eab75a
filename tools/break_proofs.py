"""Shows that the halmos checks can fail: breaks the contracts in a copy, wants counterexamples.

    python -m tools.break_proofs [--only check_k1Cap]

Each break takes away what one check says; halmos must answer FAIL to that check. Exits with 1 when
a check passes on a broken contract: then it proves nothing. Compiles without the optimizer's long
way, as `tools/mutate.py` does: a counterexample there is one in the source.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.mutants import ROOT
from tools.mutate import FOUNDRY

PROVER = (str(ROOT / ".cache/proofs/bin/python"), str(ROOT / "tools/prove.py"))
SYMBOLIC = "contracts/test/symbolic"
STEP_SECONDS = 900


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
        "ValidatorSeats.sol",
        "if (quorum <= n / 2 ||",
        "if (quorum < n / 2 ||",
        "SymbolicLedger",
        "check_appliedThresholdIsAboveHalf",
    ),
    Break(
        "ValidatorSeats.sol",
        "if (msg.sender != CLAIMS) revert NotTheSatellite();",
        "",
        "SymbolicLedger",
        "check_nobodyElseMints",
    ),
    Break(
        "Settlement.sol",
        "if (!holds) return Reasons.BAD_SIGNATURE;",
        "",
        "SymbolicLedger",
        "check_badRecordLeavesTheOtherAlone",
    ),
    Break(
        "Pairs.sol",
        "if (counted != 0 || _lane(ofHost, K1) >= K1_PER_HOST_AND_EPOCH) return false;",
        "if (counted != 0) return false;",
        "SymbolicLedger",
        "check_k1Cap",
    ),
    Break(
        "Voting.sol",
        "if (head.voters & own != 0) revert VotedBefore();",
        "",
        "SymbolicLedger",
        "check_noSecondVote",
    ),
    Break(
        "Voting.sol",
        "Tally.atLeast(entry.quorum(), approvals)",
        "Tally.atLeast(entry.quorum() - 1, approvals)",
        "SymbolicLedger",
        "check_oneApprovalMintsNothing",
    ),
    Break(
        "Voting.sol",
        "if (head.excluded & own != 0) votable &= ~target.excluded[number];",
        "",
        "SymbolicLedger",
        "check_partyHasNoVote",
    ),
    Break(
        "Steps.sol",
        "if (current.voters() & bit != 0) revert VotedBefore();",
        "",
        "SymbolicLedger",
        "check_noSecondVoteOnAStep",
    ),
    Break(
        "StepRecords.sol",
        "words[seq >> 8] = word | bit;",
        "",
        "SymbolicLedger",
        "check_answeredNumberSettlesInNoBatch",
    ),
    Break(
        "libraries/StepWords.sol",
        "return now_ <= time(self) + kept || isOpen(self);",
        "return now_ <= time(self) + kept;",
        "SymbolicLedger",
        "check_openStepIsNotOverwritten",
    ),
    Break(
        "libraries/StepWords.sol",
        "return now_ <= time(self) + kept || isOpen(self);",
        "return isOpen(self);",
        "SymbolicLedger",
        "check_stepIsKeptForThirtyDays",
    ),
    Break(
        "libraries/Assets.sol",
        "last := shr(96, shl(96, keccak256(0, 0x40)))",
        "last := shr(96, shl(96, keccak256(0, 0x20)))",
        "SymbolicLedger",
        "check_noStepUnderAnotherNumber",
    ),
    Break(
        "libraries/ClaimWords.sol",
        "if (approvals >= quorum) return",
        "if (approvals + 1 >= quorum) return",
        "SymbolicCanary",
        "check_canaryIsWhatTwoApprove",
    ),
    Break(
        "ClaimVotes.sol",
        "commitment == 0 || commitment != hashVotes(validator, round, votes, salt)",
        "commitment == 0",
        "SymbolicCanary",
        "check_aVoteRevealsInOneWayOnly",
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
    shutil.copy2(ROOT / "package.json", directory)
    (directory / "foundry.toml").write_text(FOUNDRY, "utf-8")
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
                *PROVER,
                *("--contract", broken.suite, "--function", broken.check),
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", metavar="CHECK", help="the breaks that this check must notice")
    only = parser.parse_args().only
    if not Path(PROVER[0]).exists() or shutil.which("forge") is None:
        sys.exit("break_proofs: needs forge and the packages for proofs; run `make broken-proofs`.")
    breaks = [broken for broken in BREAKS if only in (None, broken.check)]
    unnoticed = 0
    for broken in breaks:
        print(f"\n{broken.path}: {broken.before}  ->  {broken.after or '(nothing)'}")
        if is_noticed(broken):
            continue
        unnoticed += 1
        print(f"break_proofs: {broken.check} did not notice.")
    print(f"\n{len(breaks) - unnoticed} of {len(breaks)} breaks noticed")
    return 0 if breaks and not unnoticed else 1


if __name__ == "__main__":
    sys.exit(main())
