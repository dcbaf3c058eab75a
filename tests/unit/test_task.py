"""Descriptors have one spelling each, and bad ones do not exist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import PeerError
from node.task import (
    MAX_ARGUMENTS_BYTES,
    MAX_DESCRIPTOR_BYTES,
    InputFile,
    Limits,
    OutputFile,
    ResultDescriptor,
    TaskDescriptor,
    decode_result,
    decode_task,
    encode_result,
    encode_task,
    result_digest,
    task_digest,
    working_directories,
)
from node.task_paths import SANDBOX_PATH

DIGEST = bytes(range(32))
TASK = TaskDescriptor(
    argv=("cc", "-c", "a.c"),
    cwd="/home/me/project",
    env=(("LANG", "C.UTF-8"), ("SOURCE_DATE_EPOCH", "1")),
    toolchain="gcc-12",
    inputs=(InputFile("/home/me/project/a.c", DIGEST, 0o644),),
    directories=("/home/me/project/include",),
    outputs=("/home/me/project/a.o",),
)
RESULT = ResultDescriptor(0, DIGEST, DIGEST, (OutputFile("/home/me/project/a.o", DIGEST, 0o644),))

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))
digests = st.binary(min_size=32, max_size=32)
modes = st.integers(0, 0o777)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@st.composite
def tasks(draw: st.DrawFn) -> TaskDescriptor:
    # All files in one directory: a name cannot be a file and a directory at once.
    files = sorted(draw(st.sets(names, max_size=6)))
    inputs = draw(st.sets(st.sampled_from(files))) if files else set()
    variables = draw(st.dictionaries(st.sampled_from(["LANG", "LC_ALL", "TZ"]), texts))
    return TaskDescriptor(
        argv=("cc", *draw(st.lists(texts, max_size=4))),
        cwd="/task/cwd",
        env=tuple(sorted(variables.items())),
        toolchain=draw(texts),
        inputs=tuple(
            InputFile(path, draw(digests), draw(modes))
            for path in sorted(f"/task/files/{name}" for name in inputs)
        ),
        directories=tuple(sorted(f"/dirs/{name}" for name in draw(st.sets(names, max_size=3)))),
        outputs=tuple(sorted(f"/task/files/{name}" for name in files if name not in inputs)),
        limits=Limits(draw(st.integers(1, 86400)), draw(st.integers(1, 999)), 1),
    )


@given(tasks())
def test_a_task_survives_its_encoding(task: TaskDescriptor) -> None:
    data = encode_task(task)
    assert decode_task(data) == task
    assert encode_task(decode_task(data)) == data


@given(st.integers(0, 255), digests, digests, st.dictionaries(names, st.tuples(digests, modes)))
def test_a_result_survives_its_encoding(
    status: int, out: bytes, err: bytes, files: dict[str, tuple[bytes, int]]
) -> None:
    outputs = tuple(OutputFile(f"/task/{n}", *f) for n, f in sorted(files.items()))
    # Sorted by path, which all share a prefix, is sorted by name.
    result = ResultDescriptor(status, out, err, outputs)
    assert decode_result(encode_result(result)) == result


@given(st.binary(max_size=64))
def test_bytes_that_are_no_descriptor_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        decode_task(data)
    with pytest.raises(PeerError):
        decode_result(data)


def test_the_encoding_is_the_canonical_one() -> None:
    data = encode_result(RESULT)
    digest = DIGEST.hex()
    assert data.decode() == (
        f'{{"exit_status":0,"outputs":[{{"digest":"{digest}","mode":420,'
        f'"path":"/home/me/project/a.o"}}],"stderr":"{digest}","stdout":"{digest}","version":1}}'
    )
    assert result_digest(RESULT).hex() == (
        "1b66c04d78feacf6e1ac9d919dd6b66e6faeb0c33d3de653b5c06450cc45db43"
    )


def test_every_field_of_a_task_changes_its_digest() -> None:
    variants = [
        TASK,
        replace(TASK, argv=("cc", "-c", "-O2", "a.c")),
        replace(TASK, cwd="/home/me"),
        replace(TASK, env=()),
        replace(TASK, toolchain="gcc-13"),
        replace(TASK, inputs=(InputFile("/home/me/project/a.c", DIGEST, 0o600),)),
        replace(TASK, inputs=(InputFile("/home/me/project/a.c", DIGEST[::-1], 0o644),)),
        replace(TASK, directories=()),
        replace(TASK, outputs=()),
        replace(TASK, limits=Limits(cpu_seconds=7)),
    ]
    assert len({task_digest(task) for task in variants}) == len(variants)


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text.replace(":", ": "),
        lambda text: text.replace(DIGEST.hex(), DIGEST.hex().upper()),
        lambda text: text.replace('"version":1', '"version":1,"more":2'),
        lambda text: text.replace('"version":1', '"version":1,"version":1'),
        lambda text: text.replace('"version":1', '"version":true'),
        lambda text: text.replace('"version":1', '"version":1.0'),
        lambda text: text.replace('"version":1', '"version":2'),
        lambda text: text.replace("a.c", "\\u0061.c"),
        lambda text: text.replace('["cc","-c","a.c"]', '"cc"'),
        lambda text: text.replace('"mode":420', '"mode":"420"'),
        lambda text: text.replace('"cpu_seconds":120', '"cpu_seconds":120.0'),
        lambda text: text.replace('"host"', '"debian"'),
        lambda text: text.replace('"gcc-12"', "12"),
        lambda text: text + " ",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"version":1', '"version":' + "[" * 9 + "]" * 9),
    ],
)
def test_another_spelling_is_refused(spelling: Any) -> None:
    data = spelling(encode_task(TASK).decode()).encode()
    assert data != encode_task(TASK)
    with pytest.raises(PeerError, match="not valid"):
        decode_task(data)


def test_a_descriptor_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(PeerError, match="larger than"):
        decode_task(b" " * (MAX_DESCRIPTOR_BYTES + 1))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a.c", "not absolute"),
        ("/", "root directory"),
        ("/a.c", "root directory"),
        ("/home//a.c", "not normalised"),
        ("/home/./a.c", "not normalised"),
        ("/home/../etc/shadow", "not normalised"),
        ("/home/a.c/", "not normalised"),
        ("/home/a\0.c", "NUL"),
        ("/home/\udcff.c", "not UTF-8"),
        ("/usr/include/stdio.h", "system directory"),
        ("/etc/passwd", "system directory"),
        ("/lib64/ld.so", "system directory"),
        ("/proc/self/mem", "system directory"),
        ("/run/x", "system directory"),
        ("/home/" + "a" * 256, "a name of more than 255 bytes"),
        ("/home/" + "ä" * 128, "a name of more than 255 bytes"),
        ("/home/" + "a" * 256 + "/a.c", "a name of more than 255 bytes"),
        ("/home" + "/a" * 1_022, "longer than 2048 bytes"),
        ("/home" + "/ä" * 682, "longer than 2048 bytes"),
    ],
)
def test_bad_paths_are_refused_everywhere(path: str, problem: str) -> None:
    with pytest.raises(PeerError, match=problem):
        InputFile(path, DIGEST, 0o644)
    with pytest.raises(PeerError, match=problem):
        OutputFile(path, DIGEST, 0o644)
    with pytest.raises(PeerError, match=problem):
        replace(TASK, outputs=(path,))


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ()},
        {"argv": ("",)},
        {"argv": ("cc", "a\0b")},
        {"argv": ("cc", "\udcff")},
        {"argv": ("cc", "x" * 200_000)},
        {"argv": ("cc", *["x" * 99_999] * 6)},
        {"cwd": "/home/" + "a" * 256},
        {"cwd": "/home" + "/a" * 1_022},
        {"directories": ("/home/" + "a" * 256,)},
        {"outputs": ("/home" + "/a" * 1_022,)},
        {"cwd": "/etc"},
        {"cwd": "relative"},
        {"env": (("AWS_SECRET_ACCESS_KEY", "x"),)},
        {"env": (("CPATH", "/x"),)},
        {"env": (("PATH", "/home/me/bin"),)},
        {"env": (("TZ", "UTC"), ("LANG", "C"))},
        {"env": (("TZ", "UTC"), ("TZ", "CET"))},
        {"directories": ("/b", "/a")},
        {"directories": ("/usr/local",)},
        {"outputs": ("/w/b", "/w/a")},
        {"outputs": ("/w/a", "/w/a")},
        {"outputs": ("/home/me/project/a.c",)},
        {"outputs": ("/home/me/project/a.c/b.o",)},
        {"outputs": ("/home/me",)},
        {"directories": ("/home/me/project/a.c",)},
        {"root": "alpine"},
    ],
)
def test_bad_tasks_do_not_exist(change: dict[str, Any]) -> None:
    with pytest.raises(PeerError) as caught:
        replace(TASK, **change)
    assert caught.value.hint


@pytest.mark.parametrize(
    "path", ["/home/" + "a" * 255, "/home/" + "a" + "ä" * 127, "/home/" + "/".join(["a"] * 1_021)]
)
def test_the_longest_paths_are_still_paths(path: str) -> None:
    assert len(path.encode()) in (261, 2_047)
    assert replace(TASK, cwd=path).cwd == path
    assert InputFile(path, DIGEST, 0o644).path == path


def test_arguments_have_a_bound_together() -> None:
    """Each counts with the NUL that ends it, as in Linux."""
    fits = ("cc", *["x" * 65_535] * 7, "x" * 65_531)
    assert sum(len(argument) + 1 for argument in fits) == MAX_ARGUMENTS_BYTES - 1
    assert replace(TASK, argv=fits).argv == fits
    with pytest.raises(PeerError, match="too long together"):
        replace(TASK, argv=(*fits, ""))


def test_the_fixed_path_may_travel() -> None:
    assert replace(TASK, env=(("PATH", SANDBOX_PATH),)).env


@pytest.mark.parametrize("value", [0, -1, 10**12, True])
@pytest.mark.parametrize("field", ["cpu_seconds", "memory_mib", "output_kib"])
def test_limits_have_bounds(field: str, value: int) -> None:
    with pytest.raises(PeerError, match=field):
        Limits(**{field: value})


@pytest.mark.parametrize("mode", [0o4755, 0o1777, -1])
def test_special_modes_do_not_travel(mode: int) -> None:
    with pytest.raises(PeerError, match="mode"):
        InputFile("/home/a.c", DIGEST, mode)


@pytest.mark.parametrize("digest", [b"", DIGEST[:-1], DIGEST + b"x"])
def test_digests_have_32_bytes(digest: bytes) -> None:
    with pytest.raises(PeerError, match="32 bytes"):
        InputFile("/home/a.c", digest, 0o644)
    with pytest.raises(PeerError, match="32 bytes"):
        ResultDescriptor(0, digest, DIGEST, ())


@pytest.mark.parametrize("status", [-1, 256])
def test_exit_statuses_have_bounds(status: int) -> None:
    with pytest.raises(PeerError, match="exit_status"):
        ResultDescriptor(status, DIGEST, DIGEST, ())


def test_working_directories_are_those_in_use() -> None:
    assert working_directories(TASK) == {"/home/me/project", "/home/me/project/include"}
