"""Reads a compiler's command line: may this compile run on another machine, and on which files?

Pure, standard library only and cheap to import. The rule is: when in doubt, local. An option
travels only if it is known to read and write nothing but what the closure run and ``outputs``
cover, and to mean the same on every machine of a toolchain class.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_CLOSURE_TARGET = "closure"

# Variables that change what a compiler reads or does. They are not shipped, so with one of them set
# the compile would not be the same elsewhere.
_STEERING_VARIABLES = (
    "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "COMPILER_PATH",
    "GCC_EXEC_PREFIX", "GCC_COMPARE_DEBUG", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES",
    "CCC_OVERRIDE_OPTIONS", "LD_PRELOAD", "GCC_EXTRA_DIAGNOSTIC_OUTPUT",
)  # fmt: skip

# Options without a value. Those of the linker have no effect together with -c.
_PLAIN = frozenset({
    "-ansi", "-c", "-g", "-g0", "-g1", "-g2", "-g3", "-ggdb", "-ggdb0", "-ggdb1", "-ggdb2",
    "-ggdb3",
    "-gdwarf", "-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gz", "-gz=none", "-gz=zlib",
    "-grecord-gcc-switches", "-gno-record-gcc-switches", "-gstrict-dwarf", "-gno-strict-dwarf",
    "-gcolumn-info", "-gno-column-info", "-no-pie", "-nodefaultlibs", "-nostartfiles",
    "-nostdinc", "-nostdlib", "-pedantic", "-pedantic-errors", "-pie", "-pipe", "-pthread",
    "-rdynamic", "-s", "-shared", "-static", "-static-libgcc", "-trigraphs", "-undef", "-w",
    "-Wa,--noexecstack", "-MD", "-MMD", "-MP",
    "-O", "-O0", "-O1", "-O2", "-O3", "-Ofast", "-Og", "-Os", "-Oz",
})  # fmt: skip

# Options with a value, joined or in the next argument.
_VALUED = ("-D", "-U", "-I", "-L", "-l", "-o", "-x", "-MF", "-MT", "-MQ")
# Options with a value that is always the next argument, or joined as the compiler likes.
_VALUED_LONG = ("-include", "-imacros", "-iquote", "-isystem", "-idirafter", "--param")
_INCLUDE_DIRECTORY = frozenset({"-I", "-iquote", "-isystem", "-idirafter"})
_DEPENDENCY = frozenset({"-MD", "-MMD", "-MP", "-MF", "-MT", "-MQ"})

_PREFIXES = ("-std=", "-W", "-f", "-m", "--param=")
# Within those: what runs programs, reads or writes further files, or depends on the machine.
_REFUSED_PREFIXES = (
    "-Wa,", "-Wp,", "-Wl,-plugin", "-fplugin", "-fprofile", "-fauto-profile", "-fbranch-prob",
    "-ftest-coverage", "-fcoverage", "-fcallgraph-info", "-fcompare-debug", "-fdump",
    "-fdirectives-only", "-fpreprocessed", "-fdiagnostics-format", "-fdiagnostics-add-output",
    "-fdiagnostics-set-output", "-fembed", "-finstrument-functions-exclude", "-flto", "-fmodule",
    "-fopt-info", "-foffload", "-fopenacc", "-fpch", "-fsanitize-", "-fsave", "-fstack-usage",
    "-fself-test", "-fsplit-dwarf", "-fsyntax-only", "-ftime-report", "-fmem-report",
    "-fpre-include",
    "-mllvm", "-mrecord",
)  # fmt: skip
_PATH_OPTIONS = ("-ffile-prefix-map=", "-fmacro-prefix-map=", "-fdebug-prefix-map=")

# In a project's own files: what the closure does not show, or what differs from run to run.
_UNTRACKED = (b".incbin", b"#embed", b"__has_include", b"__has_embed", b"__TIMESTAMP__")
_TIME_MACROS = (b"__DATE__", b"__TIME__")


class CompileCommand(NamedTuple):
    """A compile that can be sent. Paths are absolute, but as spelled: not normalised."""

    source: str
    output: str
    dep_file: str | None
    include_dirs: tuple[str, ...]
    closure_argv: tuple[str, ...]
    remote_argv: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,) if self.dep_file is None else (self.output, self.dep_file)


class NotSendable(NamedTuple):
    """The command runs locally. ``compiles`` tells a compile from a link or a query."""

    reason: str
    compiles: bool


class _Local(Exception):
    """The command has to run locally, for the reason given."""


class _Parsed:
    """The options of one command line, taken apart."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.include_dirs: list[str] = []
        self.for_closure: list[str] = []

    def add(self, name: str, value: str | None, spelled: Sequence[str]) -> None:
        if name in _INCLUDE_DIRECTORY:
            self._add_include_dir(name, value or "")
        if name == "-x" and value != "c":
            raise _Local(f"the language is {value}")
        if value is None:
            self.flags.add(name)
        elif name == "-o" and name in self.values:
            raise _Local("-o is given twice")
        else:
            self.values[name] = value
        if name not in _DEPENDENCY and name not in ("-c", "-o"):
            self.for_closure += spelled

    def _add_include_dir(self, name: str, value: str) -> None:
        if value in ("", "-") or value.startswith(("=", "$SYSROOT")):
            raise _Local(f"{name}{value} depends on the compiler's own directories")
        self.include_dirs.append(value)


def parse(
    compiler: str, arguments: Sequence[str], cwd: str, env: Mapping[str, str]
) -> CompileCommand | NotSendable:
    """Decide on one command line. ``compiler`` is the program, ``arguments`` what follows it."""
    try:
        return _parse(compiler, arguments, cwd, env)
    except _Local as reason:
        return NotSendable(str(reason), "-c" in arguments)


def _parse(
    compiler: str, arguments: Sequence[str], cwd: str, env: Mapping[str, str]
) -> CompileCommand:
    if "-c" not in arguments:
        raise _Local("it is not a compile to an object file")
    for name in _STEERING_VARIABLES:
        if env.get(name):
            raise _Local(f"the variable {name} steers the compiler")
    problem = content_problem("\n".join(arguments).encode(errors="replace"), env)
    if problem is not None:
        raise _Local(problem)
    parsed = _take_apart(arguments)
    if len(parsed.sources) != 1:
        raise _Local(f"there are {len(parsed.sources)} source files, not one")
    source = parsed.sources[0]
    stem, extension = posixpath.splitext(posixpath.basename(source))
    if extension != ".c":
        raise _Local(f"only .c files are sent, not {extension or source}")
    output = parsed.values.get("-o", f"{stem}.o")
    return CompileCommand(
        source=_absolute(cwd, source),
        output=_absolute(cwd, output),
        dep_file=_dep_file(parsed, output, cwd),
        include_dirs=tuple(_absolute(cwd, path) for path in parsed.include_dirs),
        closure_argv=(compiler, *parsed.for_closure, "-w", "-M", "-MT", _CLOSURE_TARGET, source),
        remote_argv=(compiler, *arguments),
    )


def _take_apart(arguments: Sequence[str]) -> _Parsed:
    parsed = _Parsed()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            if argument.startswith("@"):
                raise _Local("arguments come from a file")
            parsed.sources.append(argument)
            continue
        name, value = _split(argument)
        spelled = [argument]
        if value == "":
            value = next(rest, None)
            if value is None:
                raise _Local(f"{argument} lacks its value")
            spelled.append(value)
        parsed.add(name, value, spelled)
    return parsed


def _split(argument: str) -> tuple[str, str | None]:
    """The option and its joined value: empty if it is in the next argument, None without one."""
    if argument in _PLAIN:
        return argument, None
    for name in _VALUED_LONG:
        if argument == name:
            return name, ""
        # --param=x is a prefix of its own; -includefoo is legal but rare enough to stay local.
        if name in _INCLUDE_DIRECTORY and argument.startswith(name):
            return name, argument[len(name) :]
    for name in _VALUED:
        if argument.startswith(name):
            return name, argument[len(name) :]
    if argument.startswith(_PREFIXES) and not _is_refused(argument):
        return argument, None
    raise _Local(f"the option {argument} is not known to be safe to send")


def _is_refused(argument: str) -> bool:
    if argument.startswith(_REFUSED_PREFIXES) or argument in ("-f", "-m", "--param="):
        return True
    if argument.startswith(_PATH_OPTIONS):
        return False
    value = argument.partition("=")[2]
    machine_dependent = argument.startswith("-m") and value.startswith("native")
    reads_a_file = argument.startswith("-f") and "/" in value
    return machine_dependent or reads_a_file


def _dep_file(parsed: _Parsed, output: str, cwd: str) -> str | None:
    if not parsed.flags & {"-MD", "-MMD"}:
        if parsed.flags & _DEPENDENCY or parsed.values.keys() & _DEPENDENCY:
            raise _Local("options on dependencies without -MD or -MMD")
        return None
    name = parsed.values.get("-MF", f"{posixpath.splitext(output)[0]}.d")
    if name == "-":
        raise _Local("dependencies go to standard output")
    return _absolute(cwd, name)


def _absolute(cwd: str, path: str) -> str:
    if path in ("", "-"):
        raise _Local("a file is standard input or has no name")
    return posixpath.join(cwd, path)


def parse_closure(rule: str) -> tuple[str, ...]:
    """The files of the make rule that ``closure_argv`` prints, the source first."""
    target, colon, text = rule.partition(":")
    if not colon or target.strip() != _CLOSURE_TARGET:
        raise ValueError("the compiler did not print a dependency rule")
    files: list[str] = []
    word = ""
    position = 0
    text = text.replace("\\\n", " ") + " "
    while position < len(text):
        pair = text[position : position + 2]
        if pair in ("\\ ", "\\#", "$$"):
            word += pair[1]
            position += 2
            continue
        if text[position].isspace():
            if word:
                files.append(word)
            word = ""
        else:
            word += text[position]
        position += 1
    return tuple(files)


def content_problem(data: bytes, env: Mapping[str, str]) -> str | None:
    """What in a source or header ties the compile to this machine or to this moment."""
    for word in _UNTRACKED:
        if word in data:
            return f"{word.decode()} is used"
    if not env.get("SOURCE_DATE_EPOCH"):
        for word in _TIME_MACROS:
            if word in data:
                return f"{word.decode()} is used without SOURCE_DATE_EPOCH"
    return None
