"""The ``kudos`` command. ``kudos cc`` runs once per compile, so nothing else is imported for it."""

from __future__ import annotations

import sys


def main() -> int:
    # `kudos cc --help` alone is a question to us; with anything else it is the compiler's.
    if sys.argv[1:2] == ["cc"] and sys.argv[2:] != ["--help"]:
        from node.shim import main as compile_somewhere

        return compile_somewhere(sys.argv[2:])
    from node.commands import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
