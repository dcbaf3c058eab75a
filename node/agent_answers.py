"""From a question's line to its answer's line: which part of the agent answers what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ledger.assets import process_name_text
from ledger.errors import KudosError
from ledger.reader import Reader
from ledger.reasons import Reason, describe
from ledger.rows import Totals
from ledger.standing import ClaimSummary
from ledger.types import Address, Digest, address_from_hex, hex_of
from node import agent_protocol as say
from node import agent_replies as replies
from node import canonical_json
from node.admission import Verdict
from node.agent_book import Book, Record
from node.agent_home import AgentHome
from node.agent_host import AgentHost
from node.agent_protocol import AgentError
from node.agent_records import find
from node.agent_tasks import result_of, task_of
from node.handshake import Credentials
from node.migration import State
from node.openings import Opener
from node.plugin import AsyncReputation, Explanation, Reputation, Task
from node.store import ContentStore

log = logging.getLogger(__name__)

HOSTS_AT_ONCE = 16
"""More than so many are ranked beside the event loop: nobody else waits for them."""

Handler = Callable[[Any], object | Awaitable[object]]


@dataclass(slots=True)
class Answers:
    """What an agent can be asked. ``reputation`` belongs to the event loop's thread and answers
    what is quick; ``slow`` has a thread of its own."""

    me: Credentials
    reputation: Reputation
    slow: AsyncReputation
    reader: Reader
    book: Book
    store: ContentStore
    home: AgentHome
    host: AgentHost
    opener: Opener
    connected: Callable[[], list[Address]]
    _handlers: Mapping[type[say.Question], Handler] = field(init=False)

    def __post_init__(self) -> None:
        self._handlers = {
            say.Hello: self._hello,
            say.Decide: self._decide,
            say.Rank: self._rank,
            say.Kudos: self._kudos,
            say.Explain: self._explain,
            say.Request: self._request,
            say.Accept: lambda q: self._shown(self.host.accept(_digest(q.request_id))),
            say.Reject: self._reject,
            say.Confirm: lambda q: self._shown(self.home.confirm(_digest(q.request_id))),
            say.Result: lambda q: self._shown(
                self.host.result(_digest(q.request_id), result_of(q))
            ),
            say.Open: self._open,
            say.State: self._state,
            say.Migrations: self._migrations,
        }

    async def answer(self, line: bytes) -> bytes:
        """One line for one line, whatever comes."""
        try:
            question = say.decode(line)
        except AgentError as error:
            return say.encode_error(say.identifier_in(line), error)
        try:
            result = self._handlers[type(question)](question)
            if isinstance(result, Awaitable):
                result = await result
        except KudosError as error:
            return say.encode_error(question.id, error)
        except Exception:
            log.exception("cannot answer %s", type(question).__name__)
            fault = AgentError("internal", "The agent failed.", "Its log says at what.")
            return say.encode_error(question.id, fault)
        return say.encode(question.id, result)

    # -- judging -------------------------------------------------------------------------------

    def _hello(self, _: say.Hello) -> replies.HelloReply:
        domain = self.me.domain
        return replies.HelloReply(
            hex_of(self.me.key.address), domain.chain_id, hex_of(domain.contract)
        )

    def _decide(self, asked: say.Decide) -> replies.VerdictReply:
        load = self.host.load if asked.load is None else asked.load
        home = _address(asked.home)
        return _verdict(self.reputation.decide(home, _task(asked.task), load=load))

    async def _rank(self, asked: say.Rank) -> list[replies.RankedReply]:
        connected = self.connected()
        hosts = connected if asked.hosts is None else [_address(host) for host in asked.hosts]
        if len(hosts) > HOSTS_AT_ONCE:
            ranked = await self.slow.rank(hosts, _task(asked.task))
        else:
            ranked = self.reputation.rank(hosts, _task(asked.task))
        return [
            replies.RankedReply(
                hex_of(one.host), one.points, one.host in connected, _verdict(one.verdict)
            )
            for one in ranked
        ]

    async def _kudos(self, asked: say.Kudos) -> replies.KudosReply:
        node = _address(asked.node)
        if asked.at_block is None:
            return _totals(self.reputation.kudos(node))
        return _totals(await self.slow.kudos(node, asked.at_block))

    async def _explain(self, asked: say.Explain) -> replies.ExplainReply:
        return _explanation(await self.slow.explain(_address(asked.node)))

    # -- migrations ----------------------------------------------------------------------------

    async def _request(self, asked: say.Request) -> replies.MigrationReply:
        task = await asyncio.to_thread(partial(task_of, asked, self.store))
        return self._shown(self.home.request(_address(asked.host), task))

    def _reject(self, asked: say.Reject) -> replies.MigrationReply:
        return self._shown(self.host.reject(_digest(asked.request_id), Reason[asked.reason]))

    async def _open(self, asked: say.Open) -> replies.OpenReply:
        key = _digest(asked.request_id)
        find(self.book, key, self.me.key.address, "home")
        settled, head = self.reader.migration(key), self.reader.head()
        is_final = settled is not None and head and settled.place.block <= head.final_number
        if settled is None or settled.result_id is None or not is_final:
            raise AgentError(
                "not_final",
                "The RESULT of that request does not stand on the ledger for good.",
                "Ask again later; an opening before that would tell the host too soon.",
            )
        self.opener.open_settled()
        await self.opener.deliver_due()
        return self._opened(key)

    def _opened(self, key: Digest) -> replies.OpenReply:
        vault = self.home.vault
        if vault.opening(key) is None:
            return replies.OpenReply("ordinary", delivered=False)
        waiting = {opening.sealed.request_id for opening in vault.undelivered()}
        return replies.OpenReply("canary", delivered=key not in waiting)

    async def _state(self, asked: say.State) -> replies.MigrationReply:
        key = _digest(asked.request_id)
        record: Record | None = find(self.book, key, self.me.key.address)
        if asked.since is not None and asked.wait_seconds:
            record = await self.book.wait(key, State(asked.since), asked.wait_seconds)
        return self._shown(record or find(self.book, key, self.me.key.address))

    def _migrations(self, asked: say.Migrations) -> list[replies.MigrationReply]:
        shown = map(self._shown, self.book.unfinished())
        return [
            one
            for one in shown
            if asked.role in (None, one.role) and asked.state in (None, one.state)
        ]

    def _shown(self, record: Record) -> replies.MigrationReply:
        request = record.request
        return replies.MigrationReply(
            request_id=hex_of(record.request_id),
            role="home" if record.is_home(self.me.key.address) else "host",
            state=record.state.value,  # type: ignore[arg-type]
            home=hex_of(request.home),
            host=hex_of(request.host),
            name=process_name_text(request.process_name),
            task_digest=hex_of(record.task_digest),
            cpu_seconds=request.cpu_seconds,
            memory_mib=request.memory_mib,
            output_kib=request.output_kib,
            signed_at=request.signed_at,
            result_deadline=request.result_deadline,
            reason=record.reason or None,
            result_digest=hex_of(record.result_digest) if record.result_digest else None,
            descriptor=canonical_json.decode(record.task) if record.task else None,
        )


def _address(text: str) -> Address:
    return address_from_hex(text)


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text[2:]))


def _task(facts: say.TaskFacts) -> Task:
    return Task(facts.name, facts.cpu_seconds, facts.memory_mib)


def _verdict(verdict: Verdict) -> replies.VerdictReply:
    return replies.VerdictReply(
        accept=verdict.accept,
        reason=verdict.reason.name,
        text=verdict.reason.text,
        strategy=verdict.strategy,
        rule=verdict.rule,
        block=verdict.block,
        age=verdict.age,
        freshness=verdict.freshness.value,
        numbers=dict(verdict.numbers),
    )


def _totals(totals: Totals) -> replies.KudosReply:
    return replies.KudosReply(totals.k1, totals.k2, totals.k3, totals.points)


def _explanation(found: Explanation) -> replies.ExplainReply:
    return replies.ExplainReply(
        node=hex_of(found.node),
        block=found.block,
        age=found.age,
        totals=_totals(found.totals),
        levels={
            str(level): replies.LevelReply(one.verified, one.open, one.refused)
            for level, one in found.levels.items()
        },
        open=[_claim(claim) for claim in found.open],
        refused=[_claim(claim) for claim in found.refused],
        pairs=[
            replies.PairReply(hex_of(pair.other), _totals(pair.earned), _totals(pair.paid))
            for pair in found.pairs
        ],
    )


def _claim(claim: ClaimSummary) -> replies.ClaimReply:
    reasons = {describe(code).partition(":")[0]: votes for code, votes in claim.reasons}
    ids = hex_of(claim.home), hex_of(claim.request_id)
    return replies.ClaimReply(claim.level, *ids, claim.block, reasons)
