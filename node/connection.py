"""One authenticated connection between two nodes, with bounds on what a stranger can make it
hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ledger.errors import KudosError, PeerError, PeerTimeout
from ledger.types import Address, short
from node import wire

log = logging.getLogger(__name__)

SMALL_FRAME = 8 << 20
"""Bytes that anybody may send unasked: a descriptor with room to spare."""
FRAME_SECONDS = 120.0
"""How long a frame may take from its first byte to its last, in either direction."""
REQUESTS_AT_ONCE = 64

Handler = Callable[[Address, wire.Message], Awaitable[wire.Message]]
"""From the peer's proven address and its request to the reply; a KudosError becomes a Fault."""


Expects = Callable[[Address], bool]
"""Whether this peer may send a large request now, as a home does with the inputs of its task."""


class Reaches(Protocol):
    """A peer that can be asked: a connection, or the other side in the same process."""

    @property
    def peer(self) -> Address: ...

    @property
    def is_open(self) -> bool: ...

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        """The reply to a request; PeerError when there is none."""
        ...


class Connection:
    """An authenticated connection; requests and replies of both directions share it."""

    def __init__(
        self,
        peer: Address,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: Handler,
        is_expected: Expects = lambda _: False,
    ) -> None:
        self.peer = peer
        self._reader, self._writer, self._handler = reader, writer, handler
        self._is_expected = is_expected
        self._waiting: dict[int, asyncio.Future[wire.Message]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._next = 1
        self._pump = asyncio.create_task(self._read_forever(), name=f"read {short(peer)}")

    @property
    def is_open(self) -> bool:
        return not self._pump.done()

    async def call(self, message: wire.Message, timeout: float) -> wire.Message:
        """Sends a request and waits for its reply; PeerError when the peer is gone,
        PeerTimeout when it is late."""
        identifier, self._next = self._next, self._next + 1
        future: asyncio.Future[wire.Message] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        sent = False
        try:
            # Sending counts, too: a peer that does not read would hold us for ever.
            async with asyncio.timeout(timeout):
                await self._send(identifier, message)
                sent = True
                return await future
        except TimeoutError:
            if not sent:
                # What it does not read would pile up here.
                self._pump.cancel()
            raise PeerTimeout(
                f"{short(self.peer)} did not answer within {timeout:.0f} s."
            ) from None
        except OSError as error:
            raise PeerError(f"The connection to {short(self.peer)} broke: {error}.") from error
        finally:
            self._waiting.pop(identifier, None)

    async def close(self) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def wait_closed(self) -> None:
        await asyncio.wait([self._pump])

    async def _send(self, identifier: int, message: wire.Message) -> None:
        if not self.is_open:
            raise PeerError(f"The connection to {short(self.peer)} is closed.")
        self._writer.write(wire.encode(identifier, message))
        await self._writer.drain()

    async def _read_forever(self) -> None:
        try:
            while True:
                self._dispatch(*await self._next_frame())
        except (asyncio.IncompleteReadError, OSError):
            pass
        except TimeoutError:
            log.warning("dropping %s: it stopped in the middle of a frame", short(self.peer))
        except PeerError as error:
            log.warning("dropping %s: %s", short(self.peer), error)
        finally:
            self._end()

    async def _next_frame(self) -> tuple[int, wire.Message]:
        """The next message. Large frames only where one is due: otherwise any stranger could make
        this node hold as many of them as it likes."""
        prefix = await self._reader.readexactly(4)
        is_due = bool(self._waiting) or self._is_expected(self.peer)
        length = wire.frame_length(prefix, wire.MAX_FRAME if is_due else SMALL_FRAME)
        async with asyncio.timeout(FRAME_SECONDS):
            return wire.decode(await self._reader.readexactly(length))

    def _dispatch(self, identifier: int, message: wire.Message) -> None:
        """Positive ids are the sender's own requests; a reply carries the negated id."""
        if identifier < 0:
            future = self._waiting.pop(-identifier, None)
            if future is not None and not future.done():
                future.set_result(message)
            return
        if len(self._serving) >= REQUESTS_AT_ONCE:
            raise PeerError(f"The peer asks more than {REQUESTS_AT_ONCE} things at once.")
        task = asyncio.create_task(self._serve(identifier, message))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, identifier: int, message: wire.Message) -> None:
        try:
            reply = await self._handler(self.peer, message)
        except KudosError as error:
            log.warning("refusing %s of %s: %s", type(message).__name__, short(self.peer), error)
            reply = wire.Fault(error.message)
        except Exception:
            log.exception("cannot serve %s of %s", type(message).__name__, short(self.peer))
            reply = wire.Fault("an error of its own")
        try:
            async with asyncio.timeout(FRAME_SECONDS):
                await self._send(-identifier, reply)
        except TimeoutError:
            log.warning("dropping %s: it does not read its reply", short(self.peer))
            self._pump.cancel()
        except (KudosError, OSError) as error:
            log.info("the reply to %s is lost: %s", short(self.peer), error)

    def _end(self) -> None:
        self._writer.close()
        for task in self._serving:
            task.cancel()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PeerError(f"{short(self.peer)} went away."))
