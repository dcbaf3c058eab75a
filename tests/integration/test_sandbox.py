"""Strangers' processes in the real sandbox: what they can see, do, take, and leave behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from ledger.errors import CorruptData, SetupError
from node.execution import Execution
from node.sandbox import Runner, Sandbox, UnsandboxedRunner
from node.staging import PathInputs, bind_roots, sweep
from node.store import ContentStore, sha256
from node.task import InputFile, Limits, TaskDescriptor

CWD = "/stranger/project"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where jobs are staged; an ordinary user must be able to get there."""
    path = tmp_path_factory.mktemp("scratch")
    for directory in (path, *path.parents[:2]):
        directory.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def sandbox(scratch: Path) -> Sandbox:
    return Sandbox.detect(scratch=scratch)


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "store")


def shell(
    script: str,
    *,
    inputs: tuple[InputFile, ...] = (),
    outputs: tuple[str, ...] = (),
    limits: Limits | None = None,
    directories: tuple[str, ...] = (),
) -> TaskDescriptor:
    return TaskDescriptor(
        argv=("sh", "-c", script),
        cwd=CWD,
        env=(("SOURCE_DATE_EPOCH", "1"),),
        toolchain="any",
        inputs=inputs,
        directories=directories,
        outputs=outputs,
        limits=limits or Limits(cpu_seconds=10, memory_mib=512, output_kib=1024),
    )


def run(
    runner: Runner, task: TaskDescriptor, store: ContentStore, timeout: float = 20
) -> Execution:
    return asyncio.run(runner.run(task, store, timeout=timeout))


def nothing_left(scratch: Path) -> bool:
    return not list(scratch.glob("kudos-job-*"))


def test_streams_status_and_outputs_come_back(
    sandbox: Sandbox, store: ContentStore, scratch: Path
) -> None:
    data = InputFile(f"{CWD}/data", store.put(b"abc"), 0o600)
    task = shell(
        "cat data > copy; chmod 755 copy; echo out; echo err >&2; exit 7",
        inputs=(data,),
        outputs=(f"{CWD}/copy", f"{CWD}/never"),
    )
    done = run(sandbox, task, store)
    assert (done.exit_status, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert [(o.path, o.data, o.mode) for o in done.outputs] == [(f"{CWD}/copy", b"abc", 0o755)]
    assert done.killed is None
    result = done.result()
    assert result.exit_status == 7
    assert result.stdout == sha256(b"out\n")
    assert result.outputs[0].digest == sha256(b"abc")
    assert nothing_left(scratch)


def test_it_sees_only_its_own(sandbox: Sandbox, store: ContentStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the key")
    script = f"cat {secret}; ls /root /home /var /work; cat /etc/passwd /etc/shadow; ls -A / /tmp"
    done = run(sandbox, shell(script), store)
    assert b"the key" not in done.stdout
    assert b"root:" not in done.stdout
    listed = done.stdout.partition(b"/:\n")[2].partition(b"\n\n")[0].split()
    allowed = b"bin dev etc lib lib32 lib64 libx32 proc sbin stranger tmp usr".split()
    assert listed
    assert set(listed) <= set(allowed)
    assert done.stdout.endswith(b"/tmp:\n")


def test_it_is_nobody_without_capabilities(sandbox: Sandbox, store: ContentStore) -> None:
    done = run(sandbox, shell("id -u; id -g; grep Cap /proc/self/status; umask; env"), store)
    lines = done.stdout.decode().split("\n")
    assert lines[:2] == ["65534", "65534"]
    assert [line.split()[1] for line in lines[2:7]] == ["0" * 16] * 5
    assert lines[7] == "0022"
    names = {line.partition("=")[0] for line in lines[8:] if line}
    assert names == {"SOURCE_DATE_EPOCH", "PATH", "PWD"}


def test_it_has_no_network_and_no_way_out(sandbox: Sandbox, store: ContentStore) -> None:
    script = """
        tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '
        ls /proc/self/fd | wc -l
        unshare --user true && echo nested
        touch /usr/x && echo wrote /usr; touch /x && echo wrote /; touch /dev/x && echo wrote /dev
        ls /proc | grep -c '^[0-9]'
    """
    done = run(sandbox, shell(script), store)
    lines = done.stdout.decode().split()
    assert lines[:2] == ["lo", "4"]  # 0, 1, 2 and the directory that ls itself opened
    assert len(lines) == 3, done.stdout
    assert int(lines[2]) < 10


def test_originals_stay_as_they_are(sandbox: Sandbox, store: ContentStore, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"original")
    digest = store.put(b"original")
    file = InputFile(f"{CWD}/file", digest, 0o644)
    task = shell("echo changed > file; chmod 777 file; cat file", inputs=(file,))
    assert run(sandbox, task, store).stdout == b"changed\n"
    assert store.get(digest) == b"original"
    paths = PathInputs({digest: original})
    assert asyncio.run(sandbox.run(task, paths, timeout=20)).stdout == b"changed\n"
    assert original.read_bytes() == b"original"


def test_an_input_that_changed_meanwhile_is_not_used(
    sandbox: Sandbox, tmp_path: Path, scratch: Path
) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"changed")
    task = shell("true", inputs=(InputFile(f"{CWD}/file", sha256(b"original"), 0o644),))
    with pytest.raises(CorruptData, match="does not match"):
        paths = PathInputs({sha256(b"original"): original})
        asyncio.run(sandbox.run(task, paths, timeout=20))
    assert nothing_left(scratch)


def test_directories_exist_at_their_paths(sandbox: Sandbox, store: ContentStore) -> None:
    task = shell("ls -d /elsewhere/a /tmp/b; pwd", directories=("/elsewhere/a", "/tmp/b"))
    assert run(sandbox, task, store).stdout.decode().split() == ["/elsewhere/a", "/tmp/b", CWD]


def test_cpu_time_is_limited(sandbox: Sandbox, store: ContentStore) -> None:
    done = run(sandbox, shell("while :; do :; done", limits=Limits(1, 512, 64)), store)
    assert done.killed == "cpu"
    assert done.exit_status != 0
    assert 0.5 < done.cpu_seconds < 3


def test_memory_is_limited(sandbox: Sandbox, store: ContentStore) -> None:
    script = "dd if=/dev/zero of=/dev/null bs=256M count=1 2>&1 && echo fitted"
    assert b"fitted" in run(sandbox, shell(script, limits=Limits(9, 1024, 64)), store).stdout
    assert b"fitted" not in run(sandbox, shell(script, limits=Limits(9, 64, 64)), store).stdout


def test_the_temporary_directory_is_limited(sandbox: Sandbox, store: ContentStore) -> None:
    assert "tmpfs size" in sandbox.limits_in_force
    script = "i=0; while [ $i -lt 9 ]; do head -c 8M /dev/zero > /tmp/$i || break; i=$((i+1)); done"
    done = run(sandbox, shell(f"{script}; echo $i", limits=Limits(9, 32, 16 * 1024)), store)
    assert done.stdout in (b"3\n", b"4\n")
    assert b"No space left" in done.stderr


@pytest.mark.parametrize("stream", ["1", "2"])
def test_streams_are_limited(sandbox: Sandbox, store: ContentStore, stream: str) -> None:
    done = run(sandbox, shell(f"yes >&{stream}", limits=Limits(60, 512, 10)), store)
    assert done.killed == "output"
    assert len(done.stdout) + len(done.stderr) == 10 * 1024


def test_one_large_file_is_refused(sandbox: Sandbox, store: ContentStore) -> None:
    task = shell(
        "exec head -c 1M /dev/zero > big", outputs=(f"{CWD}/big",), limits=Limits(9, 512, 10)
    )
    done = run(sandbox, task, store)
    assert done.exit_status != 0
    assert sum(len(o.data) for o in done.outputs) <= 10 * 1024


def test_outputs_are_limited_together(sandbox: Sandbox, store: ContentStore) -> None:
    task = shell(
        "head -c 6k /dev/zero > a; head -c 6k /dev/zero > b",
        outputs=(f"{CWD}/a", f"{CWD}/b"),
        limits=Limits(9, 512, 10),
    )
    done = run(sandbox, task, store)
    assert done.killed == "output"
    assert done.outputs == ()


def test_many_files_are_stopped(sandbox: Sandbox, store: ContentStore, scratch: Path) -> None:
    script = "i=0; while :; do head -c 60k /dev/zero > $i; i=$((i+1)); done"
    done = run(sandbox, shell(script, limits=Limits(60, 512, 64)), store)
    assert done.killed == "output"
    assert nothing_left(scratch)


def test_processes_are_limited(sandbox: Sandbox, store: ContentStore) -> None:
    script = "i=0; while [ $i -lt 300 ]; do sleep 5 & i=$((i+1)); done; echo all"
    done = run(sandbox, shell(script), store)
    assert ("processes" in sandbox.limits_in_force) == (b"all" not in done.stdout)


def test_the_wall_clock_ends_everything(
    sandbox: Sandbox, store: ContentStore, scratch: Path
) -> None:
    start = time.monotonic()
    done = run(sandbox, shell("setsid sleep 4321 & sleep 4321"), store, timeout=0.5)
    assert done.killed == "timeout"
    assert time.monotonic() - start < 8
    assert not running("4321")
    assert nothing_left(scratch)


def running(argument: str) -> list[str]:
    """Processes of this machine with that argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in words:
            found.append(path.parent.name)
    return found


def gone_within(argument: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not running(argument):
            return True
        time.sleep(0.05)
    return False


def test_background_processes_do_not_outlive_the_task(
    sandbox: Sandbox, store: ContentStore
) -> None:
    done = run(sandbox, shell("setsid sleep 5432 & echo done"), store)
    assert done.stdout == b"done\n"
    assert gone_within("5432", 5)


def test_cancelling_ends_everything(sandbox: Sandbox, store: ContentStore, scratch: Path) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(sandbox.run(shell("sleep 6543"), store, timeout=60))
        while not running("6543"):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancelled(), 20))
    assert gone_within("6543", 5)
    assert nothing_left(scratch)


def test_cancelling_while_inputs_are_staged_leaves_nothing(sandbox: Sandbox, scratch: Path) -> None:
    started = threading.Event()

    class SlowInputs:
        def link_into(self, digest: bytes, destination: Path, mode: int) -> None:
            started.set()
            time.sleep(0.3)
            destination.write_bytes(b"")

    async def cancelled() -> None:
        data = InputFile(f"{CWD}/data", sha256(b""), 0o644)
        task = asyncio.create_task(
            sandbox.run(shell("true", inputs=(data,)), SlowInputs(), timeout=20)
        )
        assert await asyncio.to_thread(started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert nothing_left(scratch)


def test_a_killed_node_leaves_no_job_and_the_next_one_sweeps(
    project: Path, tmp_path: Path, scratch: Path
) -> None:
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from node.sandbox import Sandbox
        from node.store import ContentStore
        from tests.integration.test_sandbox import shell
        runner = Sandbox.detect(scratch=Path({str(scratch)!r}))
        store = ContentStore(Path({str(tmp_path / "store")!r}))
        asyncio.run(runner.run(shell("sleep 7654"), store, timeout=60))
    """)
    node = subprocess.Popen([sys.executable, "-c", program], cwd=project)
    try:
        deadline = time.monotonic() + 20
        while not running("7654"):
            assert time.monotonic() < deadline, "the job did not start"
            time.sleep(0.05)
    finally:
        node.send_signal(signal.SIGKILL)
        node.wait()
    assert gone_within("7654", 5)
    assert not nothing_left(scratch)
    assert sweep(scratch) == 1
    assert nothing_left(scratch)


@pytest.mark.parametrize(
    "trick",
    [
        "ln -s {secret} out",
        "rm -rf /stranger/project/sub; ln -s {directory} /stranger/project/sub",
        "mkfifo out",
        "mkdir out",
        "echo x > out; chmod 000 out",
    ],
)
def test_tricks_with_outputs_show_nothing(
    sandbox: Sandbox, store: ContentStore, tmp_path: Path, trick: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the key")
    task = shell(
        trick.format(secret=secret, directory=tmp_path),
        outputs=(f"{CWD}/out", f"{CWD}/sub/secret"),
    )
    done = run(sandbox, task, store)
    assert done.exit_status == 0
    assert done.outputs == ()


def test_what_is_hard_to_remove_is_removed(
    sandbox: Sandbox, store: ContentStore, scratch: Path
) -> None:
    script = """
        mkdir locked; touch locked/file; chmod 000 locked
        i=0; while [ $i -lt 3000 ]; do mkdir removing; cd removing; i=$((i+1)); done
    """
    run(sandbox, shell(script), store)
    assert nothing_left(scratch)


def test_a_missing_program_is_the_tasks_own_failure(sandbox: Sandbox, store: ContentStore) -> None:
    task = TaskDescriptor(
        argv=("no-such-program",), cwd=CWD, env=(), toolchain="", inputs=(), directories=(),
        outputs=(),
    )  # fmt: skip
    assert run(sandbox, task, store).exit_status == 127


def test_death_by_signal_has_the_shells_status(sandbox: Sandbox, store: ContentStore) -> None:
    done = run(sandbox, shell("kill -SEGV $$"), store)
    assert (done.exit_status, done.stderr) == (139, b"")


def test_without_bubblewrap_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="apt-get install bubblewrap") as caught:
        Sandbox.detect(search_path=str(tmp_path))
    assert "bwrap" in caught.value.message


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: No permissions to create new namespace", "seccomp"),
        ("bwrap: something else", "bwrap --ro-bind"),
    ],
)
def test_a_bubblewrap_that_is_blocked_says_what_to_do(
    tmp_path: Path, message: str, hint: str
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(SetupError, match="cannot make a sandbox") as caught:
        Sandbox.detect(search_path=f"{tmp_path}:{os.environ['PATH']}", scratch=tmp_path)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_running_unsandboxed_has_to_be_accepted(tmp_path: Path, store: ContentStore) -> None:
    with pytest.raises(SetupError, match="i-accept-running-strangers-code-unsandboxed"):
        UnsandboxedRunner(accept_no_sandbox=False)
    runner = UnsandboxedRunner(accept_no_sandbox=True, scratch=tmp_path)
    data = InputFile(f"{CWD}/data", store.put(b"abc"), 0o644)
    task = shell(f"cat {CWD}/data > out; pwd; exit 3", inputs=(data,), outputs=(f"{CWD}/out",))
    done = run(runner, task, store)
    assert (done.exit_status, done.outputs[0].data) == (3, b"abc")
    assert done.stdout.decode().strip().endswith(CWD)
    assert nothing_left(tmp_path)
    slow = run(runner, shell("sleep 8765"), store, timeout=0.3)
    assert slow.killed == "timeout"
    assert gone_within("8765", 5)


def test_bind_roots_are_few_and_deep() -> None:
    paths = {"/home/me/p/src", "/home/me/p/deps/x", "/opt/lib/include", "/tmp/a"}
    assert bind_roots(paths) == ["/home/me/p", "/opt/lib/include", "/tmp/a"]


def test_the_tools_that_these_tests_need_are_there() -> None:
    for program in ("bwrap", "prlimit", "setpriv", "cc", "make"):
        assert shutil.which(program), f"{program} is missing: install it to run the tests"
