"""halmos, with one of its mistakes repaired; takes the arguments of halmos.

    .cache/proofs/bin/python tools/prove.py --match-contract Symbolic

A constructor has no call data: reading it gives zeros, and that is how Solidity clears an array in
memory. halmos 0.3.3 says that there is none when asked for its size, but copies from the init code,
so that the array is full of instructions and the ledger refuses its own validators.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def repair() -> None:
    """Gives constructors zeros for call data, as the EVM does."""
    message: Any = importlib.import_module("halmos.sevm").Message
    read = message.calldata_slice
    no_bytes = importlib.import_module("halmos.bytevec").ByteVec

    def calldata_slice(self: Any, start: int, size: int) -> Any:
        data = read(self, start, size)
        return no_bytes().slice(start=start, stop=start + size) if self.is_create() else data

    message.calldata_slice = calldata_slice


def main() -> int:
    repair()
    code: int = importlib.import_module("halmos.__main__").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
