"""The audit's own arithmetic of puzzles, and those that newcomers ask the contract for."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode as abi_encode
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from ledger.audit_book import Book, Handlers
from ledger.audit_logs import Logged
from ledger.audit_state import VERIFIED, Claim
from ledger.contracts import creation_address
from ledger.types import Address

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the group of secp256k1."""
MAX_DIFFICULTY = 64
BLOCKS_IN_REACH = 256


def solves_dlog(parameters: bytes, solution: bytes) -> bool:
    """The number, from a stretch of numbers, of the key with this address."""
    target, start, bits = parameters[:20], int.from_bytes(parameters[20:31], "big"), parameters[31]
    key = int.from_bytes(solution, "big")
    if target == bytes(20) or not 0 < key < ORDER or not 0 <= key - start < 1 << bits:
        return False
    return bool(PrivateKey(solution).public_key.to_canonical_address() == target)


def solves_factor(parameters: bytes, solution: bytes) -> bool:
    """A proper factor."""
    number, factor = int.from_bytes(parameters, "big"), int.from_bytes(solution, "big")
    return 1 < factor < number and number % factor == 0


def solves_preimage(parameters: bytes, solution: bytes) -> bool:
    """Leading zero bits of a hash."""
    hashed = int.from_bytes(keccak(parameters + solution), "big")
    return hashed < 1 << (256 - parameters[31])


STANDARD = {
    name.ljust(32, b"\0"): solves
    for name, solves in (
        (b"dlog", solves_dlog),
        (b"factor", solves_factor),
        (b"preimage", solves_preimage),
    )
}
"""The families that every ledger begins with, in the order of their numbers from 1."""


@dataclass(slots=True)
class Asked:
    """The open puzzles of one host."""

    counter: int = 0
    solved: int = 0
    difficulty: int = 0
    block: int = 0
    """Whose hash makes the target; 0 when there is nothing to solve."""


class Puzzles:
    """Families, and open puzzles."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.families: list[tuple[bytes, bytes]] = []
        """Names and contracts, number 1 first."""
        self.asked: dict[bytes, Asked] = {}
        self.targets: dict[tuple[bytes, int], tuple[int, int]] = {}
        """Difficulty and block of each puzzle, by host and counter."""
        self.handlers: Handlers = {
            "FamilyRegistered": self._registered,
            "PuzzleAsked": self._asked,
            "PuzzleSolved": self._solved,
        }

    def family(self, number: int) -> bytes | None:
        """The name of a registered family."""
        known = 1 <= number <= len(self.families)
        return self.families[number - 1][0] if known else None

    def solves(self, number: int, parameters: bytes, solution: bytes, block: int) -> bool:
        """Whether a registered family takes the solution; one of the validators' own is asked."""
        name, implementation = self.families[number - 1]
        if name in STANDARD:
            return STANDARD[name](parameters, solution)
        return self._book.witness.solves(implementation, parameters, solution, block)

    def _registered(self, log: Logged) -> None:
        book, args = self._book, log.args
        number = len(self.families) + 1
        book.same(log, "the number of the family", number, args["number"])
        if number <= len(STANDARD):
            book.same(log, "the family's name", list(STANDARD)[number - 1], args["name"])
            contract = creation_address(Address(book.contracts.claims), number)
            book.same(log, "the family's contract", contract, args["implementation"])
        else:
            book.must_be_due(log)
        names = [name for name, _ in self.families]
        book.holds(log, "a new name", args["name"] not in [*names, bytes(32)])
        self.families.append((args["name"], args["implementation"]))

    def _asked(self, log: Logged) -> None:
        book, args = self._book, log.args
        asked = self.asked.setdefault(args["host"], Asked())
        book.same(log, "the number of the puzzle", asked.counter + 1, args["counter"])
        hard = book.rules.puzzle_floor <= args["difficulty"] <= MAX_DIFFICULTY
        book.holds(log, "a difficulty within bounds", hard)
        book.holds(log, "room for a puzzle", asked.solved < book.rules.puzzles_per_host)
        book.same(log, "the block that fixes the puzzle", log.block + 1, args["blockNumber"])
        asked.counter, asked.difficulty = args["counter"], args["difficulty"]
        asked.block = args["blockNumber"]
        self.targets[args["host"], asked.counter] = (asked.difficulty, asked.block)

    def _solved(self, log: Logged) -> None:
        book, host, counter = self._book, log.args["host"], log.args["counter"]
        asked = self.asked.setdefault(host, Asked())
        book.same(log, "the number of the puzzle", asked.counter, counter)
        in_reach = 0 < log.block - asked.block <= BLOCKS_IN_REACH and asked.block > 0
        book.holds(log, "a puzzle that can be solved", in_reach)
        book.holds(log, "room for a puzzle", asked.solved < book.rules.puzzles_per_host)
        parameters, solution = log.args["parameters"], log.args["solution"]
        book.same(log, "the puzzle", self._parameters(host, asked), parameters)
        book.holds(log, "a solution", solves_preimage(parameters, solution))
        book.not_final(log)
        asked.block = 0
        asked.solved += 1
        named = b"open puzzle" + host + counter.to_bytes(4, "big")
        self._count(log, host, bytes(keccak(named)), (solution, parameters))

    def _count(self, log: Logged, host: bytes, puzzle_id: bytes, run: tuple[bytes, bytes]) -> None:
        """K3 at once. Nobody's request stands behind it: it has the puzzle's id everywhere."""
        book = self._book
        claim = Claim(puzzle_id, 3, host, bytes(20), puzzle_id, puzzle_id, log.timestamp, "open")
        claim.state, claim.run = VERIFIED, run
        book.claims.append(claim)
        book.assets += 1
        book.tokens.due(log, host, 3, 1, book.contracts.claims)

    def _parameters(self, host: bytes, asked: Asked) -> bytes:
        entropy = self._book.witness.block_hash(asked.block) or bytes(32)
        kinds = ["address", "address", "uint32", "bytes32"]
        place = (self._book.contracts.claims, host, asked.counter, entropy)
        return bytes(keccak(abi_encode(kinds, place))[:31]) + bytes([asked.difficulty])
