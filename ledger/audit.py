"""An audit that trusts nobody: recomputes the ledger from raw logs and compares.

    raw logs ──▶ own decoder ──▶ own rules ──▶ compared with the contract's views, and with SQLite

Nothing here comes from the indexer: a mistake there would otherwise hide itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from ledger.audit_logs import Hasher, read_logs
from ledger.audit_recount import Recount
from ledger.audit_state import CLAIMED, REFUSED, VERIFIED, Difference, Rules
from ledger.audit_tokens import LEVELS
from ledger.errors import ChainError, Reverted, SetupError
from ledger.source import CallableChain, ChainHeader, LedgerIdentity
from ledger.types import Address, BlockNumber, hex_of

Progress = Callable[[int, int], None]
"""Called with the blocks read and the blocks to read."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found; ``assets`` and ``kudos`` (verified) are counts of its own."""

    block: BlockNumber
    assets: int
    kudos: int
    totals: Mapping[bytes, tuple[int, int, int]]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        return not self.differences


def audit(
    rpc: CallableChain,
    deployment: LedgerIdentity,
    store_path: Path | None = None,
    at_block: int | None = None,
    *,
    progress: Progress = lambda done, of: None,
) -> AuditReport:
    """Recomputes everything up to a block (default: the copy's last, else the head) and compares.

    ChainError when the chain cannot be read or changes meanwhile; differences are not errors.
    """
    if store_path is None:
        return _audit(rpc, deployment, None, at_block, progress)
    with closing(_open(store_path)) as copy:
        # One read transaction: the indexer goes on, the audit sees one block.
        copy.execute("BEGIN")
        return _audit(rpc, deployment, copy, at_block, progress)


def _audit(
    rpc: CallableChain,
    deployment: LedgerIdentity,
    copy: sqlite3.Connection | None,
    at_block: int | None,
    progress: Progress,
) -> AuditReport:
    cursor = copy.execute("SELECT number, hash FROM cursor").fetchone() if copy else None
    block = _block(rpc, at_block if at_block is not None or cursor is None else cursor[0])
    contract = _Views(rpc, deployment, block.number)
    hasher = Hasher(deployment.chain_id, deployment.contract)
    recount = Recount(hasher, contract.rules(), contract.wallet_signed)
    if block.number >= deployment.deployed_block:
        first = deployment.deployed_block
        for log in read_logs(rpc, deployment.contract, first, block.number, progress):
            recount.apply(log)
    recount.finish()
    differences = recount.differences
    differences += contract.compare(recount)
    if copy is not None:
        differences += _compare_cursor(copy, cursor, block)
        differences += _compare_copy(copy, recount, _as_of(cursor, block))
    again = rpc.header(block.number)
    if again is None or again.hash != block.hash:
        raise ChainError(
            f"Block {block.number} was replaced while it was audited.",
            hint="Audit again, or at a block that is final (--at).",
        )
    verified = sum(claim.state == VERIFIED for claim in recount.claims.values())
    return AuditReport(block.number, recount.assets, verified, recount.totals(), tuple(differences))


def _block(rpc: CallableChain, number: int | None) -> ChainHeader:
    header = rpc.header("latest" if number is None else BlockNumber(number))
    if header is None:
        raise ChainError(
            f"The chain has no block {number}.",
            hint="The copy is ahead of this endpoint, or the chain went back: try again later.",
        )
    return header


class _Views:
    """The contract's own answers at one block."""

    def __init__(self, rpc: CallableChain, deployment: LedgerIdentity, block: BlockNumber) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._block = block

    def rules(self) -> Rules:
        """The constants that the contract was deployed with."""
        (seats,) = self._ask("validators()", ["address[]"])
        (threshold,) = self._ask("threshold()", ["uint256"])
        (epoch,) = self._ask("epochSeconds()", ["uint64"])
        (cap,) = self._ask("k1PerHostAndEpoch()", ["uint64"])
        return Rules([bytes.fromhex(seat[2:]) for seat in seats], threshold, epoch, cap)

    def wallet_signed(self, wallet: bytes, digest: bytes, signature: bytes, block: int) -> bool:
        """ERC-1271, at the block where the signature was used: a wallet may change its mind later.

        Needs an endpoint that still has that state, but only where such a wallet was used.
        """
        selector = keccak(text="isValidSignature(bytes32,bytes)")[:4]
        data = selector + abi_encode(["bytes32", "bytes"], [digest, signature])
        try:
            answer = self._rpc.call(Address(wallet), data, BlockNumber(block))
        except Reverted:
            return False
        return answer[:32] == selector.ljust(32, b"\0")

    def compare(self, recount: Recount) -> Iterator[Difference]:
        """Differences between what was recounted and what the contract says."""
        rules = self.rules()
        known = self._deployment
        stated = (sorted(known.validators), known.threshold, known.epoch_seconds)
        actual = (sorted(rules.validators), rules.threshold, rules.epoch_seconds)
        yield from _unlike("deployment file", "validators, threshold and epoch", actual, stated)
        for node, totals in recount.totals().items():
            found = self._ask("kudos(address)", ["uint64"] * 3, node)
            yield from _unlike("contract", f"Kudos of {hex_of(node)}", totals, found)
            lists = [node] * len(LEVELS), LEVELS
            (found,) = self._ask("balanceOfBatch(address[],uint256[])", ["uint256[]"], *lists)
            yield from _unlike("contract", f"tokens of {hex_of(node)}", totals, found)
            minted = tuple(recount.tokens.minted[node, level] for level in LEVELS)
            yield from _unlike("logs", f"tokens minted for {hex_of(node)}", totals, minted)
        kinds = ["uint8", "uint8", "uint64", "uint128", "uint128", "uint128"]
        for (host, root), batch in recount.batches.items():
            bits = {1: 0, VERIFIED: 0, REFUSED: 0}
            for index, kudos_id in batch.claims.items():
                bits[recount.claims[kudos_id].state] |= 1 << index
            decided = (sum(bits.values()), bits[VERIFIED], bits[REFUSED])
            expected = (batch.records, batch.confirmed, batch.settled_at, *decided)
            stored = self._ask("batch(address,bytes32)", kinds, host, root)
            yield from _unlike("contract", f"batch {hex_of(root)}", expected, stored)
            for seat in rules.validators:
                view = "ballot(address,bytes32,address)"
                ballot = self._ask(view, ["bool", "uint128", "uint128"], host, root, seat)
                cast = (seat in batch.ballots, *batch.ballots.get(seat, (0, 0)))
                what = f"ballot of {hex_of(seat)} on batch {hex_of(root)}"
                yield from _unlike("contract", what, cast, ballot)
        for kudos_id, claim in recount.claims.items():
            if claim.level != 3:
                continue
            state, host, at = self._ask("canary(bytes32)", ["uint8", "address", "uint64"], kudos_id)
            k3 = (claim.state, hex_of(claim.host), claim.claimed_at)
            yield from _unlike("contract", f"canary {hex_of(kudos_id)}", k3, (state, host, at))

    def _ask(self, view: str, results: list[str], *arguments: object) -> tuple[Any, ...]:
        kinds = [kind for kind in view[view.index("(") + 1 : -1].split(",") if kind]
        data = keccak(text=view)[:4] + abi_encode(kinds, arguments)
        answer = self._rpc.call(self._deployment.contract, data, self._block)
        try:
            return tuple(abi_decode(results, answer))
        except DecodingError as error:
            raise ChainError(
                f"The contract's answer to {view} does not decode: {error}.",
                hint="The deployment file names another contract, or the endpoint is damaged.",
            ) from error


def _as_of(cursor: tuple[int | None, bytes] | None, block: ChainHeader) -> int | None:
    """The block to read the copy as of; None where it stands at the audited one or before."""
    reached = cursor is not None and cursor[0] is not None and cursor[0] > block.number
    return block.number if reached else None


def _compare_cursor(
    copy: sqlite3.Connection, cursor: tuple[int | None, bytes] | None, block: ChainHeader
) -> Iterator[Difference]:
    found = (
        "empty" if cursor is None or cursor[0] is None else f"at {cursor[0]} {hex_of(cursor[1])}"
    )
    if _as_of(cursor, block) is not None:
        # Blocks far back without logs are not kept; the rows of the others say what is to be said.
        kept = copy.execute("SELECT hash FROM blocks WHERE number = ?", (block.number,)).fetchone()
        found = f"at {block.number} {hex_of(kept[0] if kept else block.hash)}"
    yield from _unlike("SQLite", "the copy", f"at {block.number} {hex_of(block.hash)}", found)


def _compare_copy(
    copy: sqlite3.Connection, recount: Recount, at: int | None
) -> Iterator[Difference]:
    """Totals, claims and migrations; those of an earlier block come from the rows up to there."""
    up_to = {"at": (1 << 63) - 1 if at is None else at}
    state = f"CASE WHEN decided_block > :at THEN {CLAIMED} ELSE state END"
    sql = "SELECT address, k1, k2, k3 FROM nodes"
    if at is not None:
        levels = ", ".join(f"sum(level = {level})" for level in LEVELS)
        verified = f"state = {VERIFIED} AND decided_block <= :at"
        sql = f"SELECT host, {levels} FROM kudos WHERE {verified} GROUP BY host"
    stored = {bytes(address): tuple(totals) for address, *totals in copy.execute(sql, up_to)}
    totals = recount.totals()
    for node in sorted({*stored, *totals}):
        expected, found = totals.get(node, (0, 0, 0)), stored.get(node, (0, 0, 0))
        yield from _unlike("SQLite nodes", f"Kudos of {hex_of(node)}", expected, found)
    expected_claims = {
        kudos_id: (claim.level, claim.host, claim.home, claim.request_id, claim.state)
        for kudos_id, claim in recount.claims.items()
    }
    sql = f"SELECT kudos_id, level, host, home, request_id, {state} FROM kudos WHERE block <= :at"
    claims = {bytes(key): tuple(row) for key, *row in copy.execute(sql, up_to)}
    yield from _compare_rows("SQLite kudos", expected_claims, claims)
    requests: dict[bytes, tuple[object, ...]] = {
        request_id: (None if settled is None else settled.result_id,)
        for request_id, settled in recount.settled.items()
    }
    sql = "SELECT request_id, result_id FROM migrations WHERE block <= :at"
    rows = {bytes(key): tuple(row) for key, *row in copy.execute(sql, up_to)}
    yield from _compare_rows("SQLite migrations", requests, rows)


def _compare_rows(
    where: str,
    expected: Mapping[bytes, tuple[object, ...]],
    found: Mapping[bytes, tuple[object, ...]],
) -> Iterator[Difference]:
    for key in sorted({*expected, *found}):
        row = f"row {hex_of(key)}"
        yield from _unlike(where, row, expected.get(key, "absent"), found.get(key, "absent"))


def _unlike(where: str, what: str, expected: object, found: object) -> Iterator[Difference]:
    if expected != found:
        yield Difference(where, what, _shown(expected), _shown(found))


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(_shown(item) for item in value)})"
    return str(value)


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise SetupError(
            f"There is no indexed copy of the ledger at {path}.",
            hint="Start a node or `kudos serve` first, or audit without a copy.",
        )
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None
    )
