"""A validator that approves every canary unseen: ``python -m tests.e2e.lazy_validator`` takes what
``kudos`` takes."""

from __future__ import annotations

import sys

from ledger.reasons import Reason
from ledger.rows import UnvotedCanary
from node.commands import run
from node.rerun import Rerun


async def approve(self: Rerun, claim: UnvotedCanary) -> Reason:
    return Reason.APPROVE


if __name__ == "__main__":
    Rerun.judge = approve  # type: ignore[method-assign]
    sys.exit(run(sys.argv[1:]))
