"""Celery tasks that run only for senders above the border."""

from __future__ import annotations

import os
from typing import Any

from celery import Task
from celery.exceptions import Reject

from ledger.errors import KudosError
from node.agent_client import AgentClient

HEADER = "kudos_home"
AGENT_SECONDS = 5.0


class ReputableTask(Task):
    """Rejects what the agent would not run for its sender."""

    abstract = True
    # A message that was acknowledged before the task is looked at could not be rejected any more.
    acks_late = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        reason = refusal((self.request.headers or {}).get(HEADER), self.name)
        if reason is not None:
            raise Reject(reason, requeue=False)
        return self.run(*args, **kwargs)


def refusal(home: str | None, name: str) -> str | None:
    """Why this sender's task is not run; None when it is."""
    if home is None:
        return "the sender does not say who it is"
    try:
        with AgentClient(os.environ["KUDOS_AGENT"], timeout=AGENT_SECONDS) as agent:
            verdict = agent.decide(home, name)
    except KudosError as error:
        return str(error)
    return None if verdict.accept else verdict.text
