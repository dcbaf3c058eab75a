"""The ``replay`` family: an ordinary task of the job, checked by running it again (protocol section
4).

The home does not know its result either. ``parameters`` is the digest of the toolchain class, so
that a validator of another class can abstain without fetching the inputs.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from canaries.commitment import ORDINARY, PLANTED, Mark
from canaries.family import CannotRun, Finding, Opened, RunAgain, field_of


def parameters_for(toolchain_class: str) -> bytes:
    """What a replay's mark carries for a task of this toolchain class."""
    return keccak(toolchain_class.encode("utf-8"))


def mark_for(is_canary: bool, toolchain_class: str, salt: bytes) -> Mark:
    """The mark of a task that is this canary or none. Both are made, whichever is wanted: the time
    that a request takes must not say what it is."""
    planted = Mark(PLANTED, field_of(Replay.name), parameters_for(toolchain_class), salt)
    ordinary = Mark(ORDINARY, bytes(32), bytes(32), salt)
    return planted if is_canary else ordinary


class Replay:
    """Holds when a fresh run gives the digest that the host sealed."""

    name = "replay"

    async def check(self, opened: Opened, run_again: RunAgain) -> Finding:
        try:
            fresh = await run_again(opened.task_digest)
        except CannotRun as reason:
            return reason.finding
        return Finding.HOLDS if fresh == opened.result_digest else Finding.WRONG_RESULT
