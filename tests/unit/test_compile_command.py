"""Which compiles may travel. When in doubt, they may not."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.compile_command import (
    CompileCommand,
    NotSendable,
    content_problem,
    parse,
    parse_closure,
)

CWD = "/home/me/project"


def sendable(line: str, **env: str) -> CompileCommand:
    command = parse("cc", shlex.split(line), CWD, env)
    assert isinstance(command, CompileCommand), command
    return command


def refused(line: str, **env: str) -> NotSendable:
    command = parse("cc", shlex.split(line), CWD, env)
    assert isinstance(command, NotSendable), command
    return command


def test_a_plain_compile() -> None:
    command = sendable("-O2 -c src/a.c -o build/a.o")
    assert command.source == f"{CWD}/src/a.c"
    assert command.output == f"{CWD}/build/a.o"
    assert command.dep_file is None
    assert command.outputs == (f"{CWD}/build/a.o",)
    assert command.remote_argv == ("cc", "-O2", "-c", "src/a.c", "-o", "build/a.o")
    assert command.closure_argv == ("cc", "-O2", "-w", "-M", "-MT", "closure", "src/a.c")


def test_redis_compiles_travel() -> None:
    command = sendable(
        "-pedantic -DREDIS_STATIC='' -std=c11 -Wall -W -Wno-missing-field-initializers -O2 "
        "-I../deps/hiredis -I../deps/lua/src -MMD -o server.o -c server.c"
    )
    assert command.dep_file == f"{CWD}/server.d"
    assert command.include_dirs == (f"{CWD}/../deps/hiredis", f"{CWD}/../deps/lua/src")
    assert "-DREDIS_STATIC=" in command.closure_argv
    assert "-MMD" not in command.closure_argv


@pytest.mark.parametrize(
    ("line", "output", "dep_file"),
    [
        ("-c a.c", "a.o", None),
        ("-c sub/a.c", "a.o", None),
        ("-c sub/a.c -MD", "a.o", "a.d"),
        ("-c a.c -oout/b.o -MMD", "out/b.o", "out/b.d"),
        ("-c a.c -o out.dir/b -MMD", "out.dir/b", "out.dir/b.d"),
        ("-c a.c -o b.tar.o -MMD", "b.tar.o", "b.tar.d"),
        ("-c a.c -MD -MF deps/a.dep", "a.o", "deps/a.dep"),
        ("-c a.c -MD -MFdeps/a.dep -MP -MT x -MQ y", "a.o", "deps/a.dep"),
        ("-c a.c -o /abs/b.o", "/abs/b.o", None),
    ],
)
def test_outputs_have_the_compilers_names(line: str, output: str, dep_file: str | None) -> None:
    command = sendable(line)
    expected = tuple(
        name if name.startswith("/") else f"{CWD}/{name}"
        for name in (output, dep_file)
        if name is not None
    )
    assert command.outputs == expected


@pytest.mark.parametrize(
    ("line", "directories"),
    [
        ("-c a.c -Iinc -I inc2", ("inc", "inc2")),
        ("-c a.c -isystem sys -isystemsys2", ("sys", "sys2")),
        ("-c a.c -iquote q -idirafter after", ("q", "after")),
        ("-c a.c -I/abs/inc", ("/abs/inc",)),
        ("-c a.c -I a/b/../c", ("a/b/../c",)),
    ],
)
def test_include_directories(line: str, directories: tuple[str, ...]) -> None:
    expected = tuple(d if d.startswith("/") else f"{CWD}/{d}" for d in directories)
    assert sendable(line).include_dirs == expected


@pytest.mark.parametrize(
    "options",
    [
        "-D X=1 -UY -DZ", "-include config.h", "-imacros m.h", "-xc", "-x c", "-g3 -gdwarf-4",
        "-fPIC -fno-common", "-m64 -march=x86-64-v2 -mtune=generic", "-Wall -Werror=format",
        "--param max-inline-insns-single=9", "--param=ssp-buffer-size=4", "-pthread -pipe -w",
        "-Wa,--noexecstack", "-Wl,-z,now -L. -lm", "-std=gnu99 -ansi", "-fvisibility=hidden",
        "-ffile-prefix-map=/home/me=.", "-frandom-seed=7", "-fsanitize=address",
    ],
)  # fmt: skip
def test_harmless_options_travel_and_reach_the_closure_run(options: str) -> None:
    command = sendable(f"{options} -c a.c -o a.o")
    words = shlex.split(options)
    assert command.closure_argv[1 : 1 + len(words)] == tuple(words)
    assert command.remote_argv[1 : 1 + len(words)] == tuple(words)


@pytest.mark.parametrize(
    "options",
    [
        "@args", "-save-temps", "-save-temps=obj", "-march=native", "-mtune=native", "-mcpu=native",
        "-fplugin=x.so", "-fplugin-arg-x-y", "-specs=x", "-specs x", "-Bdir", "-B dir",
        "-wrapper gdb", "-pg", "-p", "--coverage", "-fprofile-generate", "-fprofile-use=x",
        "-ftest-coverage", "-fprofile-arcs", "-fauto-profile", "-E", "-S", "-M", "-MM", "-MG -MD",
        "-MF x.d", "-MP", "-MT x", "-v", "-###", "--version", "-H", "-P", "-C", "-dM", "-dumpdir x",
        "-fsyntax-only", "-x c++", "-x assembler", "-x none", "-x c-header", "-I- ", "-I =/inc",
        "-I '$SYSROOT/x'", "-isysroot /x", "--sysroot=/x", "-iprefix x", "-iwithprefix x",
        "-Wp,-MD,x.d", "-Wa,-al=x.lst", "-Xassembler x", "-Xpreprocessor x", "-Xclang x",
        "-flto", "-flto=4", "-gsplit-dwarf", "-fsplit-dwarf", "-fdump-tree-all", "-fopt-info",
        "-fstack-usage", "-fcallgraph-info", "-fsave-optimization-record", "-fmodules",
        "-foffload=x", "-fpch-deps", "-fpch-preprocess", "-include-pch x", "-fpreprocessed",
        "-fdirectives-only", "-fcompare-debug", "-fsanitize-ignorelist=x",
        "-fdiagnostics-format=json-file",
        "-fsomething=/a/file", "-time", "-aux-info x", "-T x", "--target=arm", "-framework x",
        "-unheard-of", "--unheard-of", "-f", "-m", "-", "-MD -MF -", "-DX=__TIME__",
        "-o b.o -o c.o", "-D", "-o",
    ],
)  # fmt: skip
def test_everything_else_stays(options: str) -> None:
    answer = refused(f"-c a.c {options}")
    assert answer.reason
    assert answer.compiles


@pytest.mark.parametrize(
    "line", ["a.o b.o -o program", "", "--version", "-E a.c", "-S a.c", "a.c -o program", "-M a.c"]
)
def test_what_is_no_compile_is_told_apart(line: str) -> None:
    assert not refused(line).compiles


@pytest.mark.parametrize(
    "line",
    [
        "-c", "-c a.c b.c", "-c -", "-c a.cc", "-c a.s", "-c a.S", "-c a.i", "-c a.h", "-c a.o",
        "-c a", "-c a.C", "-c -o - a.c", "-c ''", "-c a.c -o ''",
    ],
)  # fmt: skip
def test_sources_other_than_one_c_file_stay(line: str) -> None:
    assert refused(line).compiles


@pytest.mark.parametrize(
    "variable", ["CPATH", "C_INCLUDE_PATH", "DEPENDENCIES_OUTPUT", "GCC_EXEC_PREFIX", "LD_PRELOAD"]
)
def test_variables_that_steer_the_compiler_keep_it_here(variable: str) -> None:
    assert variable in refused("-c a.c", **{variable: "/x"}).reason
    assert sendable("-c a.c", **{variable: ""})


@given(st.lists(st.text(max_size=12), max_size=6))
def test_no_command_line_breaks_the_parser(arguments: list[str]) -> None:
    command = parse("cc", arguments, CWD, {})
    if isinstance(command, CompileCommand):
        assert command.remote_argv == ("cc", *arguments)
        assert command.source.endswith(".c")


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        ("closure: a.c\n", ("a.c",)),
        ("closure: a.c b.h \\\n c.h\n", ("a.c", "b.h", "c.h")),
        ("closure: with\\ space.c h\\#sh.h dol$$ar.h\n", ("with space.c", "h#sh.h", "dol$ar.h")),
        ("closure: a\\b.c", ("a\\b.c",)),
    ],
)
def test_dependency_rules_are_read(rule: str, files: tuple[str, ...]) -> None:
    assert parse_closure(rule) == files


@pytest.mark.parametrize("rule", ["", "a.o: a.c", "closure a.c"])
def test_what_is_no_dependency_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="dependency rule"):
        parse_closure(rule)


@pytest.mark.parametrize(
    ("data", "env", "found"),
    [
        (b"int x;", {}, None),
        (b'asm(".incbin \\"x\\"");', {}, ".incbin"),
        (b"#if __has_include(<x.h>)", {}, "__has_include"),
        (b"__TIMESTAMP__", {"SOURCE_DATE_EPOCH": "1"}, "__TIMESTAMP__"),
        (b"__DATE__", {}, "__DATE__"),
        (b"__DATE__ __TIME__", {"SOURCE_DATE_EPOCH": "1"}, None),
    ],
)
def test_sources_that_depend_on_more_are_found(
    data: bytes, env: dict[str, str], found: str | None
) -> None:
    problem = content_problem(data, env)
    assert problem is None if found is None else problem is not None and found in problem
