"""Long work says what it is at: every step, and within a step now and then."""

from __future__ import annotations

from pathlib import Path

from ledger.synthetic_bulk import main
from ledger.synthetic_progress import Progress


def test_steps_at_once_and_the_rest_every_ten_seconds() -> None:
    said: list[str] = []
    times = iter([100.0, 100.0, 104.0, 111.0, 112.0, 122.5])
    progress = Progress(said.append, lambda: next(times))
    progress.step("rows")
    assert [progress.look(), progress.look("row 7"), progress.look("row 8"), progress.look()] == [
        0, 0, 0, 0,
    ]  # fmt: skip
    assert said == ["     0 s: rows", "    11 s: row 7", "    22 s: row 8"]


def test_a_large_copy_says_what_it_is_made_of(tmp_path: Path) -> None:
    said: list[str] = []
    assert main(["--assets", "500", "--out", str(tmp_path / "big.db")], say=said.append) == 0
    steps = [line.partition(": ")[2] for line in said]
    assert any(step.startswith("index 1 of ") for step in steps)
    assert steps.index("totals of pairs") < steps.index("roll-ups of the desk")
    assert said[-1].endswith(" s") and "big.db" in said[-1]
