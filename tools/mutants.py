"""The small faults that `tools/mutate.py` puts into the contracts, and where they fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The core contract, and what it is made of. What only satellites use is not looked at.
TARGETS = (
    *("KudosLedger.sol", "Settlement.sol", "Steps.sol", "StepRecords.sol", "StepPlaces.sol"),
    *("Voting.sol", "KudosToken.sol"),
    *("Pairs.sol", "ValidatorSeats.sol", "Domain.sol", "libraries/Assets.sol"),
    *("libraries/MerkleTree.sol", "libraries/PackedBatch.sol", "libraries/Reasons.sol"),
    *("libraries/RecordFrame.sol", "libraries/Satellites.sol", "libraries/Seats.sol"),
    *("libraries/Sequences.sol", "libraries/Signatures.sol", "libraries/StepWords.sol"),
    *("libraries/Tally.sol", "libraries/Times.sol"),
)

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


def find_mutants(only: str | None) -> list[Mutant]:
    """Every fault in every target, or in the one file that is asked for."""
    return [
        mutant
        for path in (ROOT / "contracts" / target for target in TARGETS)
        if only in (None, path.name)
        for mutant in mutants_of(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
