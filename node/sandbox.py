"""Runs strangers' processes: in a bubblewrap sandbox, or not at all unless told so.

The job sees ``/usr``, an empty ``/tmp`` and its own files at their original paths; it has no
network, no capabilities and no way to make namespaces. Root runs jobs as an ordinary
user, because the kernel does not count the processes of root.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.errors import SetupError
from node.execution import Execution, finish, limited, read_now, run_job
from node.staging import InputSource, Staging, stage
from node.task import Limits, TaskDescriptor
from node.task_paths import SANDBOX_PATH
from node.wasm_runtime import RUNTIME, Program, WasmRuntime, decided

_NOBODY = 65534
_HOST_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

_BLOCKED_HINT = (
    "User namespaces are blocked. On Ubuntu 23.10 or later AppArmor does it: give bwrap a profile, "
    "or run 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0' as root. In Docker the "
    "default seccomp profile does it: start the container with "
    "'--security-opt seccomp=unconfined'."
)


class Runner(Protocol):
    """Something that runs tasks."""

    @property
    def limits_in_force(self) -> tuple[str, ...]: ...

    async def run(
        self, task: TaskDescriptor, inputs: InputSource, *, timeout: float
    ) -> Execution: ...


@dataclass(frozen=True, slots=True)
class _Tools:
    bwrap: str
    prlimit: str
    setpriv: str | None
    options: frozenset[str]


class Sandbox:
    """A bubblewrap sandbox that was seen to work; get one from ``detect``."""

    def __init__(self, tools: _Tools, scratch: Path, owner: int | None) -> None:
        self._tools = tools
        self._scratch = scratch
        self._owner = owner
        self._wasm = WasmRuntime(scratch)

    @classmethod
    def detect(cls, *, scratch: Path | None = None, search_path: str | None = None) -> Sandbox:
        """Find bubblewrap and try it; raises SetupError that says what to do when it does not work.

        ``scratch`` is where jobs are staged, the system's temporary directory by default.
        """
        base = scratch or Path(tempfile.gettempdir())
        tools = _find_tools(os.environ.get("PATH", "") if search_path is None else search_path)
        if os.geteuid() == 0 and tools.setpriv:
            ordinary = cls(tools, base, _NOBODY)
            # Fails where an ordinary user cannot get to the scratch directory.
            if ordinary._try().returncode == 0:
                return ordinary
        sandbox = cls(tools, base, None)
        attempt = sandbox._try()
        if attempt.returncode != 0:
            raise _unusable(attempt.stderr.decode(errors="replace").strip())
        return sandbox

    @property
    def limits_in_force(self) -> tuple[str, ...]:
        """What holds on this machine, for the start-up message; what is missing is not listed."""
        limits = ["wall clock", "cpu per process", "memory per process", "file size"]
        limits += ["open files", "disk (by scanning)"]
        if self._owner is not None or os.geteuid() != 0:
            limits.append("processes")
        if "--size" in self._tools.options:
            limits.append("tmpfs size")
        if "--disable-userns" in self._tools.options:
            limits.append("no nested namespaces")
        return tuple(limits)

    async def run(self, task: TaskDescriptor, inputs: InputSource, *, timeout: float) -> Execution:
        """Run the task and return what it did; a limit that ends it is no error."""
        staging = await finish(
            asyncio.to_thread(stage, task, inputs, self._scratch, self._owner), Staging.remove
        )
        try:
            return decided(task, await self._run_staged(task, staging, timeout))
        finally:
            await finish(asyncio.to_thread(staging.remove))

    async def _run_staged(
        self, task: TaskDescriptor, staging: Staging, timeout: float
    ) -> Execution:
        program = await finish(asyncio.to_thread(self._wasm.program, task, RUNTIME))
        status_read, status_write = os.pipe()
        with open(status_read, "rb", buffering=0) as status:
            command = self._command(task, program, staging, status_write)
            try:
                execution = await run_job(
                    command, task, staging, timeout=timeout, pass_fds=(status_write,)
                )
            finally:
                os.close(status_write)
            # Without it bubblewrap gave up before the job was started.
            if execution.killed is None and b'"exit-code"' not in read_now(status.fileno()):
                raise _unusable(execution.stderr.decode(errors="replace").strip())
        return execution

    def _try(self) -> subprocess.CompletedProcess[bytes]:
        """Run ``true`` in a scratch directory, exactly as a job would be."""
        with tempfile.TemporaryDirectory(prefix="kudos-try-", dir=self._scratch) as directory:
            staging = Staging(Path(directory), ("/task/try",))
            staging.staged("/task/try").mkdir(parents=True)
            if self._owner is not None:
                os.chown(directory, self._owner, self._owner)
            task = TaskDescriptor(
                argv=("true",), cwd="/task/try", env=(), toolchain="none", inputs=(),
                directories=(), outputs=(),
            )  # fmt: skip
            return subprocess.run(
                self._command(task, Program(task.argv, task.limits), staging, None),
                capture_output=True,
                timeout=30,
                check=False,
            )

    def _command(
        self, task: TaskDescriptor, program: Program, staging: Staging, status_fd: int | None
    ) -> list[str]:
        command = []
        if self._owner is not None and self._tools.setpriv:
            user = str(self._owner)
            command += [self._tools.setpriv, f"--reuid={user}", f"--regid={user}"]
            command += ["--clear-groups", "--"]
        command.append(self._tools.bwrap)
        if status_fd is not None:
            command += ["--json-status-fd", str(status_fd)]
        command += self._isolation()
        command += _root_image()
        command += self._writable_places(task.limits)
        for here, place in program.shown:
            command += ["--ro-bind", here, place]
        for root in staging.roots:
            command += ["--bind", str(staging.staged(root)), root]
        command += ["--remount-ro", "/", *_environment(task), "--chdir", task.cwd, "--"]
        return [*command, *limited(program.argv, program.limits, self._tools.prlimit)]

    def _isolation(self) -> list[str]:
        options = ["--unshare-all", "--unshare-user", "--uid", str(_NOBODY), "--gid", str(_NOBODY)]
        options += ["--cap-drop", "ALL", "--die-with-parent", "--new-session", "--clearenv"]
        options += ["--hostname", "sandbox"]
        if "--disable-userns" in self._tools.options:
            options.append("--disable-userns")
        return options

    def _writable_places(self, limits: Limits) -> list[str]:
        size = []
        if "--size" in self._tools.options:
            size = ["--size", str(limits.memory_mib * 1024 * 1024)]
        # /dev is a tmpfs of its own, without a bound, unless it is made read-only.
        shared = ["--dev", "/dev", *size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
        return [*shared, *size, "--tmpfs", "/tmp"]


class UnsandboxedRunner:
    """Runs tasks with no isolation at all; only for whoever accepts that in so many words.

    Files are staged below a scratch directory and absolute paths in the arguments are moved there,
    so outputs that mention their own path differ from those of the sandbox.
    """

    limits_in_force = ("wall clock", "cpu per process", "memory per process", "file size")

    def __init__(self, *, accept_no_sandbox: bool, scratch: Path | None = None) -> None:
        if accept_no_sandbox is not True:
            raise SetupError(
                "Without a sandbox this node would run strangers' code with your own rights.",
                hint="Install bubblewrap, or pass --i-accept-running-strangers-code-unsandboxed.",
            )
        self._scratch = scratch or Path(tempfile.gettempdir())
        self._prlimit = _required("prlimit", "util-linux", os.environ.get("PATH", ""))
        self._wasm = WasmRuntime(self._scratch)

    async def run(self, task: TaskDescriptor, inputs: InputSource, *, timeout: float) -> Execution:
        staging = await finish(
            asyncio.to_thread(stage, task, inputs, self._scratch, None), Staging.remove
        )
        try:
            program = await finish(asyncio.to_thread(self._wasm.program, task))
            command = self._command(task, program, staging)
            return decided(task, await run_job(command, task, staging, timeout=timeout))
        finally:
            await finish(asyncio.to_thread(staging.remove))

    def _command(self, task: TaskDescriptor, program: Program, staging: Staging) -> list[str]:
        argv = []
        for argument in program.argv:
            for root in staging.roots:
                argument = argument.replace(f"{root}/", f"{staging.staged(root)}/")
            argv.append(argument)
        variables = dict([*task.env, ("PATH", SANDBOX_PATH)])
        environment = ["env", "-i", "-C", str(staging.staged(task.cwd))]
        environment += [f"{name}={value}" for name, value in variables.items()]
        return [*environment, *limited(argv, program.limits, self._prlimit)]


def _find_tools(search_path: str) -> _Tools:
    bwrap = _required("bwrap", "bubblewrap", search_path)
    prlimit = _required("prlimit", "util-linux", search_path)
    usage = subprocess.run([bwrap, "--help"], capture_output=True, timeout=30, check=False)
    options = frozenset(re.findall(r"--[a-z-]+", usage.stdout.decode(errors="replace")))
    setpriv = shutil.which("setpriv", path=f"{search_path}:{_HOST_PATH}")
    return _Tools(bwrap, prlimit, setpriv, options)


def _required(program: str, package: str, search_path: str) -> str:
    found = shutil.which(program, path=search_path)
    if found is None:
        raise SetupError(
            f"The program '{program}' is missing, and without it no sandbox can be made.",
            hint=f"Install it, on Debian or Ubuntu with 'apt-get install {package}'.",
        )
    return found


def _unusable(message: str) -> SetupError:
    blocked = any(sign in message for sign in ("namespace", "uid map", "Operation not permitted"))
    return SetupError(
        f"bubblewrap cannot make a sandbox here: {message or 'it ended without a word'}.",
        hint=_BLOCKED_HINT if blocked else "Try 'bwrap --ro-bind / / true' to see more.",
    )


def _root_image() -> list[str]:
    """The image ``host``: /usr, the links that lead into it, and what makes cc lead to gcc."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _ROOT_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    return [*options, "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", "--proc", "/proc"]


def _environment(task: TaskDescriptor) -> list[str]:
    variables = dict([*task.env, ("PATH", SANDBOX_PATH)])
    return [word for item in variables.items() for word in ("--setenv", *item)]
