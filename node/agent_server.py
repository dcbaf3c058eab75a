"""The agent's doors: a Unix socket and HTTP on loopback, one line of JSON in, one out.

Every connection is served on its own, one question after the other, so that a caller who is slow or
hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response

from ledger.errors import SetupError, UsageError
from node.agent_protocol import MAX_LINE, AgentError, encode_error
from node.transport import parse_endpoint

log = logging.getLogger(__name__)

MAX_CLIENTS = 256
CHUNK = 65_536
WRITE_SECONDS = 10.0
"""How long a caller may take to read an answer."""
LINE_SECONDS = 30.0
"""How long a line may take from its first byte to its last."""

Answer = Callable[[bytes], Awaitable[bytes]]


def check_place(path: Path, uid: int | None = None) -> None:
    """SetupError unless a socket can be made at ``path``; one that nobody listens on is ours to
    replace, another user's is not."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise SetupError(f"{path} is no socket.", hint="Move it away, or choose another --data.")
    if found.st_uid != (os.geteuid() if uid is None else uid):
        raise SetupError(
            f"The socket {path} belongs to another user.",
            hint="Whoever made it could answer in this node's name: find out who did, or choose "
            "another --data.",
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            log.info("%s: %s", path, error)
    raise SetupError(
        f"Somebody listens on {path} already.", hint="Is this node or its agent running?"
    )


@asynccontextmanager
async def unix_door(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Serves ``path``, an owner-only socket, until the block ends."""
    check_place(path)
    path.unlink(missing_ok=True)
    clients: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(clients) >= MAX_CLIENTS:
            writer.write(encode_error(None, _crowded()))
            writer.close()
            return
        clients.add(task)
        try:
            await _converse(reader, writer, answer)
        except asyncio.CancelledError:
            # The agent ends. Raised further, asyncio would report it as a failure.
            log.debug("a caller is hung up on")
        finally:
            clients.discard(task)
            # Not close(): that would wait for somebody who does not read.
            writer.transport.abort()

    # Closed to others from the first moment: a chmod afterwards would come too late.
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(accept, path, limit=MAX_LINE)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        path.unlink(missing_ok=True)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    """Answers line after line until the caller closes, or says something that has no end."""
    # With this, an answer that is drained has left.
    writer.transport.set_write_buffer_limits(high=0)
    read = b""
    with suppress(OSError, TimeoutError):
        while True:
            read = read or await reader.read(CHUNK)
            if b"\n" not in read:
                read = await _to_its_end(reader, read)
            line, end, read = read.partition(b"\n")
            if len(line) >= MAX_LINE:
                # Where the next line begins is not to be known: the connection ends here.
                await _send(writer, encode_error(None, _too_long()))
                return
            if not end:
                return
            await _send(writer, await answer(line + end))


async def _send(writer: asyncio.StreamWriter, line: bytes) -> None:
    writer.write(line)
    # Nearly always it has left by now, and a timeout costs as much as a decision.
    if writer.transport.get_write_buffer_size():
        async with asyncio.timeout(WRITE_SECONDS):
            await writer.drain()


async def _to_its_end(reader: asyncio.StreamReader, read: bytes) -> bytes:
    """What was read and what comes until the line ends, becomes too long, or the caller closes. A
    line may begin whenever it likes, but then it has to come."""
    async with asyncio.timeout(LINE_SECONDS):
        while b"\n" not in read and len(read) < MAX_LINE:
            chunk = await reader.read(CHUNK)
            if not chunk:
                break
            read += chunk
    return read


def make_app(answer: Answer, token: str) -> FastAPI:
    """``POST /v1`` with one question as its body and the token as a bearer's."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    expected = f"Bearer {token}".encode()

    @app.post("/v1")
    async def ask(request: Request) -> Response:
        # Anybody on this machine, and any page in its browsers, can reach a loopback port.
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), expected):
            return _reply(401, encode_error(None, _unknown()))
        try:
            async with asyncio.timeout(LINE_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return _reply(408, encode_error(None, _too_long()))
        if body is None:
            return _reply(413, encode_error(None, _too_long()))
        return _reply(200, await answer(body))

    return app


def _reply(status: int, line: bytes) -> Response:
    return Response(line, status, media_type="application/json")


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is longer than a line may be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_LINE:
            return None
    return body


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The agent has handlers of its own."""
        yield


@asynccontextmanager
async def http_door(endpoint: str, app: FastAPI, address_file: Path) -> AsyncIterator[str]:
    """Serves the app on loopback until the block ends; its URL, which stands in ``address_file``
    as well."""
    host, port = parse_endpoint(endpoint)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = _Server(config)
    with _bound(host, port) as bound:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            name = f"[{host}]" if ":" in host else host
            url = f"http://{name}:{bound.getsockname()[1]}/v1"
            address_file.write_text(url + "\n", "utf-8")
            yield url
        finally:
            server.should_exit = server.force_exit = True
            await serving
            address_file.unlink(missing_ok=True)


def _bound(host: str, port: int) -> socket.socket:
    """A bound socket on loopback; UsageError anywhere else."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"{host!r} is no IP address.", hint="Write 127.0.0.1:PORT.") from None
    if not address.is_loopback:
        raise UsageError(
            f"{host} is not a loopback address.",
            hint="The agent signs for this node: it serves this machine alone.",
        )
    bound = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UsageError(
            f"Cannot listen on {host}:{port}: {error.strerror}.", hint="Choose another --http."
        ) from error
    return bound


def _too_long() -> AgentError:
    return AgentError(
        "too_long",
        f"A question has at most {MAX_LINE} bytes and ends within {LINE_SECONDS:.0f} s.",
        "Name files by their digests instead of sending them.",
    )


def _crowded() -> AgentError:
    return AgentError(
        "crowded", f"{MAX_CLIENTS} callers are connected.", "Close connections you do not use."
    )


def _unknown() -> AgentError:
    return AgentError(
        "unauthorized",
        "The token is missing or wrong.",
        "Send the line of the file agent-token in the agent's data directory as a bearer token.",
    )
