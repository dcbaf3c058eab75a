"""What a node does beside its migrations, whoever schedules them: it settles its outbox, keeps a
vault, and draws its canaries."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
from functools import partial
from pathlib import Path

from canaries.schedule import Independent, Schedule, ThesisSchedule, Unplanted
from canaries.vault import Vault, VaultError
from ledger.assets import ConfirmedMigration
from ledger.claims_again import Again, ClaimsAgain
from ledger.deployment import Deployment
from ledger.errors import SetupError, UsageError
from ledger.outbox import Outbox
from ledger.reader import Reader
from ledger.settler import Settler
from ledger.types import Digest
from node.draws import Draws
from node.handshake import Credentials
from node.host_checks import SettledMigrations
from node.inputs import keep_longer
from node.journal import Journal
from node.service import INDEX, Footing

log = logging.getLogger(__name__)

SETTLE_POLL_SECONDS = 0.5
WARN_SECONDS = 60.0


async def settle_forever(base: Footing, outbox: Outbox, journal: Journal, times: int) -> None:
    """Settles what is in the outbox, batch by batch, until cancelled, and makes claims again that
    timed out, up to so many times each."""

    def open_index() -> Reader:
        return Reader.open(base.data / INDEX, base.deployment)

    queue = (outbox, open_index, base.sender, base.deployment, base.me.clock)
    keep = partial(keep_longer, base.store, journal)
    settler = Settler(*queue)
    claims = ClaimsAgain(*queue, Again(times), keep=keep)
    warned = float("-inf")
    while True:
        for step, what in ((settler.step, "settled"), (claims.step, "claimed again")):
            result = await asyncio.to_thread(step)
            now = base.me.clock.monotonic()
            if result.error is not None and now - warned >= WARN_SECONDS:
                warned = now
                log.warning("settlement waits: %s", result.error)
            if result.settled or result.claimed or result.buried:
                log.info("%s: %s", what, result)
        await asyncio.sleep(SETTLE_POLL_SECONDS)


def confirmed_migrations(reader: Reader) -> SettledMigrations:
    """Looks up settled migrations that were not rejections."""

    def find(request_id: Digest) -> ConfirmedMigration | None:
        found = reader.migration(request_id)
        if found is None or not isinstance(found.migration, ConfirmedMigration):
            return None
        return found.migration

    return find


def open_vault(path: Path) -> Vault:
    """The home's vault; SetupError when it is not ours."""
    try:
        return Vault(path)
    except VaultError as error:
        raise SetupError(
            f"The vault cannot be opened: {error}.", hint="Run the node as the owner of its data."
        ) from error


def draws_of(base: Footing, journal: Journal, outbox: Outbox) -> Draws:
    """What claims the results that the beacon draws."""
    return Draws(
        me=base.me,
        reader=base.reader,
        journal=journal,
        outbox=outbox,
        rate=base.deployment.draw_rate,
        period_seconds=base.deployment.period_seconds,
    )


def schedule_of(options: argparse.Namespace, me: Credentials, ledger: Deployment) -> Schedule:
    """The canary schedule; its secret is fresh at every start unless a demonstration fixes it.

    UsageError for a home that would plant none where none are drawn: nobody would check its hosts.
    """
    if options.canaries == "none":
        if not ledger.draw_rate:
            raise UsageError(
                "This ledger draws no canaries, so a home has to plant some.",
                hint="Leave out `--canaries none`.",
            )
        return Unplanted()
    secret = me.entropy(32) if options.canary_seed is None else _known_secret(options.canary_seed)
    return ThesisSchedule(secret) if options.canaries == "thesis" else Independent(secret)


def _known_secret(seed: int) -> bytes:
    log.warning("the canary schedule is predictable: --canary-seed is for demonstrations")
    return hashlib.sha256(b"kudos canary schedule %d" % seed).digest()
