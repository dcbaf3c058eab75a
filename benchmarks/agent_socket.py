"""The part of ``benchmarks/plugin.py`` that asks an agent over its Unix socket.

A process of its own serves a copy through the agent's real door, protocol and strategy; what a
migration would need (chain, peers, vault) is left out, as no question here reaches it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

from ledger.eip712 import Domain
from ledger.keys import Key
from ledger.outbox import Outbox
from ledger.ports import SystemClock, system_entropy
from ledger.reader import Reader
from ledger.types import Address, hex_of
from node.agent_answers import Answers
from node.agent_book import Book
from node.agent_client import AgentClient
from node.agent_home import AgentHome
from node.agent_host import AgentHost
from node.agent_server import unix_door
from node.handshake import Credentials
from node.journal import Journal
from node.openings import Opener
from node.plugin import AsyncReputation, Reputation
from node.store import ContentStore


def serve_agent(index: Path, path: Path, key: Key, domain: Domain) -> int:
    """Serves until standard input ends."""
    asyncio.run(_serve(index, path, key, domain))
    return 0


async def _serve(index: Path, path: Path, key: Key, domain: Domain) -> None:
    me = Credentials(key, domain, SystemClock(), system_entropy)
    folder = path.parent
    async with AsyncExitStack() as stack:
        book, store = Book(folder / "agent.db"), ContentStore(folder / "store", clock=me.clock)
        journal = Journal(folder / "journal.db")
        outbox = Outbox.open(folder / "outbox.db", me.domain, me.clock)
        answers = Answers(
            me=me,
            reputation=stack.enter_context(Reputation.open(index, me=key.address)),
            slow=await stack.enter_async_context(await AsyncReputation.open(index, me=key.address)),
            reader=stack.enter_context(Reader.open(index)),
            book=book,
            store=store,
            # Nobody asks for a migration here.
            home=cast(AgentHome, None),
            host=AgentHost(me, journal, outbox, store, book),
            opener=cast(Opener, None),
            connected=list,
        )
        await stack.enter_async_context(unix_door(path, answers.answer))
        print("serving", flush=True)
        await asyncio.to_thread(sys.stdin.read)


class Asker:
    """Asks an agent about one home after the other."""

    def __init__(self, path: Path, homes: list[Address]) -> None:
        self._client = AgentClient(path)
        self._homes = [hex_of(home) for home in homes]

    def decide(self, number: int) -> None:
        self._client.decide(self._homes[number % len(self._homes)], "cc a.c")

    def close(self) -> None:
        self._client.close()
