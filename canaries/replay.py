"""The ``replay`` family: an ordinary task of the job, checked by running it again (protocol section
4).

The home does not know its result either. ``parameters`` is the digest of the toolchain class, so
that a validator of another class can abstain without fetching the inputs.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from canaries.family import CannotRun, Finding, Opened, RunAgain


def parameters_for(toolchain_class: str) -> bytes:
    """What a replay's mark carries for a task of this toolchain class."""
    return keccak(toolchain_class.encode("utf-8"))


class Replay:
    """Holds when a fresh run gives the digest that the host sealed."""

    name = "replay"

    async def check(self, opened: Opened, run_again: RunAgain) -> Finding:
        try:
            fresh = await run_again(opened.task_digest)
        except CannotRun as reason:
            return reason.finding
        return Finding.HOLDS if fresh == opened.result_digest else Finding.WRONG_RESULT
