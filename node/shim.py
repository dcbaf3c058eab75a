"""``kudos cc ARGS…``: stands in for the compiler and sends what it can to other nodes.

A build never fails because of this: whatever goes wrong, the real compiler runs in place of this
process with the arguments unchanged. Standard library only, and little of it, as this starts once
for every compile.

Environment: KUDOS_SOCKET (the node), KUDOS_CC (the compiler, ``cc``), KUDOS_MIN_BYTES (smaller
closures are compiled here), KUDOS_TIMEOUT (seconds to wait for a node), KUDOS_DEBUG=1 (says on
standard error why a compile stays here).
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from node import shim_protocol as protocol
from node.closure import PYTHON_IGNORES, Closure, RunHere, find_closure, normalised
from node.compile_command import CompileCommand, NotSendable, parse
from node.task_paths import ENV_SHIPPED, directory_problem, file_problem

DEFAULT_MIN_BYTES = 16 * 1024
DEFAULT_TIMEOUT = 300.0
_LARGEST_SETTING = 1e12
_NOTE_SECONDS = 0.5
_MAX_NEEDS = 2


class Settings(NamedTuple):
    compiler: str
    socket: str | None
    min_bytes: int
    timeout: float
    debug: bool


def settings_from(env: Mapping[str, str]) -> Settings:
    """Numbers that cannot be read count as not set: a build must not fail over them."""

    def number(name: str, default: float) -> float:
        try:
            value = float(env.get(name, ""))
        except ValueError:
            return default
        return value if 0 <= value <= _LARGEST_SETTING else default

    return Settings(
        compiler=env.get("KUDOS_CC") or "cc",
        socket=env.get("KUDOS_SOCKET") or None,
        min_bytes=int(number("KUDOS_MIN_BYTES", DEFAULT_MIN_BYTES)),
        timeout=number("KUDOS_TIMEOUT", DEFAULT_TIMEOUT),
        debug=env.get("KUDOS_DEBUG") == "1",
    )


def main(argv: Sequence[str]) -> int:
    """Compile, elsewhere or here. Returns only if it was done elsewhere or there is no compiler."""
    settings = settings_from(os.environ)
    try:
        undo_locale_coercion()
        result = _send(settings, argv, os.getcwd(), os.environ)
        _write_result(result)
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:  # whatever it is, the compile can still be done here
        _explain(settings, error)
    return _run_here(settings.compiler, argv)


def undo_locale_coercion() -> None:
    """Python sets LC_CTYPE when it starts in the C locale (PEP 538); compilers print by it."""
    if os.environ.get("LC_CTYPE") == "C.UTF-8":
        with open("/proc/self/environ", "rb") as file:
            if b"\0LC_CTYPE=" not in b"\0" + file.read():
                del os.environ["LC_CTYPE"]


def _send(
    settings: Settings, argv: Sequence[str], cwd: str, env: Mapping[str, str]
) -> protocol.Result:
    command = parse(settings.compiler, argv, cwd, env)
    if isinstance(command, NotSendable):
        raise RunHere(command.reason, "local" if command.compiles else "")
    if settings.socket is None:
        raise RunHere("KUDOS_SOCKET is not set")
    closure = find_closure(command, cwd, env)
    if closure.size() < settings.min_bytes:
        raise RunHere(f"{closure.size()} bytes are not worth sending", "not_worth")
    task = describe(command, closure, cwd, env)
    result = converse(settings.socket, task, closure.contents, settings.timeout)
    if result.exit_status != 0:
        # Also how a real error in the source looks; it is for the local compiler to report.
        raise RunHere(f"the remote exit status is {result.exit_status}")
    if tuple(file.path for file in result.outputs) != task.outputs:
        raise RunHere("the remote run did not write what it should")
    return result


def describe(
    command: CompileCommand, closure: Closure, cwd: str, env: Mapping[str, str]
) -> protocol.Task:
    directories = set(closure.directories)
    outputs = tuple(sorted(normalised(path, directories) for path in command.outputs))
    for path in outputs:
        if problem := file_problem(path):
            raise RunHere(f"the output {path} {problem}")
        if not os.path.isdir(os.path.dirname(path)):
            raise RunHere(f"the directory of {path} does not exist")
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise RunHere(f"the output {path} is not an ordinary file")
    if problem := directory_problem(cwd):
        raise RunHere(f"the working directory {problem}")
    return protocol.Task(
        argv=command.remote_argv,
        cwd=cwd,
        env=tuple((name, env[name]) for name in ENV_SHIPPED if name in env),
        directories=tuple(sorted(directories)),
        outputs=outputs,
        inputs=closure.inputs,
        source=command.source,
        process_name=os.path.basename(command.remote_argv[0]),
        compiler=os.path.realpath(which(command.remote_argv[0], env.get("PATH", os.defpath))),
    )


def which(program: str, search_path: str) -> str:
    if "/" in program:
        return program
    for directory in search_path.split(":"):
        path = os.path.join(directory or ".", program)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise RunHere(f"the compiler {program} was not found")


def converse(
    address: str,
    task: protocol.Task | protocol.Module | protocol.Puzzle,
    contents: Mapping[bytes, bytes],
    timeout: float,
) -> protocol.Result:
    """Give the task to the node and wait for the result, within ``timeout`` seconds altogether."""
    deadline = time.monotonic() + timeout
    decoder = protocol.Decoder()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:

        def within() -> socket.socket:
            # Never 0, which would mean non-blocking.
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            return connection

        within().connect(address)
        within().sendall(protocol.encode(task))
        needs = 0
        while data := within().recv(1 << 20):
            if time.monotonic() > deadline:
                break
            for message in decoder.feed(data):
                if isinstance(message, protocol.Result):
                    return message
                if isinstance(message, protocol.Need) and needs < _MAX_NEEDS:
                    needs += 1
                    blobs = tuple(contents[digest] for digest in message.digests)
                    within().sendall(protocol.encode(protocol.Blobs(blobs)))
                    continue
                reason = message.reason if isinstance(message, protocol.Local) else "a wrong reply"
                raise RunHere(f"the node says: {reason}")
    raise RunHere("the node closed the connection, or the time is over")


def _write_result(result: protocol.Result) -> None:
    """Put the outputs in place, whole or not at all, with the modes a local compiler would give."""
    umask = os.umask(0o022)
    os.umask(umask)
    for file in result.outputs:
        temporary = f"{file.path}.kudos-{os.getpid()}"
        mode = (0o777 if file.mode & 0o111 else 0o666) & ~umask
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "wb") as out:
                out.write(file.data)
            os.rename(temporary, file.path)
        except BaseException:
            if os.path.lexists(temporary):
                os.unlink(temporary)
            raise
    for stream, data in ((sys.stdout, result.stdout), (sys.stderr, result.stderr)):
        stream.buffer.write(data)
        stream.flush()


def _explain(settings: Settings, error: Exception) -> None:
    """Say why, to whoever debugs and to the node; neither may get in the way."""
    what = error.what if isinstance(error, RunHere) else "local"
    reason = str(error) or type(error).__name__
    if settings.debug:
        print(f"kudos cc: compiling here: {reason}", file=sys.stderr, flush=True)
    if settings.socket is None or not what:
        return
    note = protocol.Note(what, reason[:200], os.path.basename(settings.compiler))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_NOTE_SECONDS)
            connection.connect(settings.socket)
            connection.sendall(protocol.encode(note))
    except (OSError, protocol.ProtocolError, UnicodeError) as problem:
        if settings.debug:
            print(f"kudos cc: the node was not told: {problem}", file=sys.stderr, flush=True)


def _run_here(compiler: str, argv: Sequence[str]) -> int:
    # Python ignores these, and what is ignored stays so across exec.
    for number in PYTHON_IGNORES:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(compiler, [compiler, *argv])
    except OSError as error:
        print(
            f"kudos cc: cannot run the compiler '{compiler}': {error.strerror}. Install gcc, "
            "or set KUDOS_CC to a compiler that exists.",
            file=sys.stderr,
        )
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
