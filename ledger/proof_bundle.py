"""Makes proof bundles: finds the logs in the copy, takes everything else from the chain.

A bundle is checked before it is given away (``ledger.proof_check``), against the hashes of the very
blocks that it was made from: one that nobody could verify is an error here, not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from eth_hash.auto import keccak

from ledger import events, merkle, record, rpc_constants, rpc_proofs
from ledger.contract_code import is_our_code
from ledger.creation import Constants, part_addresses
from ledger.eip712 import Domain
from ledger.errors import ChainError, PeerError
from ledger.event_types import BatchSettled
from ledger.proof_block import header_bytes, read_header, receipt_bytes, receipt_key
from ledger.proof_check import Anchors, check
from ledger.proof_format import AccountProof, Bundle, LogProof, PartProof, ProofRefused
from ledger.proof_parts import needed
from ledger.proof_rules import rule_slots
from ledger.proof_subject import LogPlace, Subject, find
from ledger.proof_trie import proof_of
from ledger.reader import Reader
from ledger.rpc import Rpc
from ledger.rpc_values import log as read_log
from ledger.types import Address, Digest

LINKED = 256
"""Logs at most this many blocks apart are joined by all the headers between: one hash will do."""


def build(rpc: Rpc, reader: Reader, asset: Digest) -> Bundle:
    """The bundle of one asset or Kudos.

    UnknownAsset when the copy has none of this id, ChainError when the chain does not give what a
    proof takes, or contradicts the copy.
    """
    contract = reader.domain.contract
    constants = rpc_constants.read(rpc, contract)
    with reader.snapshot():
        subject = find(reader, asset, constants.beacon_period_seconds)
    blocks = {place.block: _Block(rpc, place.block) for place in subject.logs}
    settled = blocks[subject.logs[0].block].log(subject.logs[0])
    last = subject.logs[-1].block
    account = _account(rpc, contract, last, constants)
    loggers = {blocks[place.block].log(place).address for place in subject.logs}
    bundle = Bundle(
        asset,
        subject.kind,
        reader.domain.chain_id,
        contract,
        subject.index,
        _path(reader.domain, subject, settled),
        tuple(_headers(rpc, sorted(blocks))),
        tuple(_proof(blocks[place.block], place) for place in subject.logs),
        account,
        tuple(_parts(rpc, contract, loggers, last)) if account else (),
    )
    _check(bundle)
    return bundle


class _Block:
    """The receipts of one block, and the trie over them."""

    def __init__(self, rpc: Rpc, number: int) -> None:
        self.number = number
        self._receipts = rpc_proofs.receipts(rpc, number)
        with _reading(number):
            self._items = {
                receipt_key(place): receipt_bytes(receipt)
                for place, receipt in enumerate(self._receipts)
            }

    def find(self, place: LogPlace) -> tuple[int, int]:
        """The transaction and the place in its receipt of a log of this block."""
        seen = 0
        for tx, receipt in enumerate(self._receipts):
            count = len(receipt["logs"])
            if place.log_index < seen + count:
                return tx, place.log_index - seen
            seen += count
        raise _contradiction(f"block {self.number} has {seen} logs, the copy knows of more")

    def log(self, place: LogPlace) -> events.RawLog:
        """One log, as the chain gives it."""
        tx, position = self.find(place)
        return read_log(self._receipts[tx]["logs"][position])

    def nodes(self, tx: int) -> tuple[bytes, ...]:
        """The way from the receipts' root to one receipt."""
        return proof_of(self._items, receipt_key(tx))[1]


def _proof(block: _Block, place: LogPlace) -> LogProof:
    tx, position = block.find(place)
    return LogProof(place.block, tx, position, place.event, block.nodes(tx))


def _path(domain: Domain, subject: Subject, settled: events.RawLog) -> tuple[Digest, ...]:
    if subject.root is None:
        return ()
    event = events.decode(settled)
    if not isinstance(event, BatchSettled) or event.root != subject.root:
        raise _contradiction(f"there is another log in block {settled.block_number}")
    try:
        migrations = record.decode_batch(domain, event.host, event.batch)
    except PeerError as error:
        raise _contradiction(error.message) from error
    leaves = record.leaves(domain, migrations, [index for index, _ in event.skipped])
    return merkle.path(leaves, subject.index)


def _headers(rpc: Rpc, numbers: Sequence[int]) -> list[bytes]:
    first, last = numbers[0], numbers[-1]
    wanted = range(first, last + 1) if last - first <= LINKED else numbers
    return [_header(rpc_proofs.full_header(rpc, number), number) for number in wanted]


def _header(fields: Mapping[str, Any], number: int) -> bytes:
    with _reading(number):
        raw = header_bytes(fields)
    if "0x" + keccak(raw).hex() != fields.get("hash"):
        raise ChainError(
            f"The header of block {number} has fields that this program does not know.",
            hint="Update Kudos; until then nothing on this chain can be proven with it.",
        )
    return raw


def _account(rpc: Rpc, contract: Address, number: int, constants: Constants) -> AccountProof | None:
    """The contract's account at a block, if the chain gives proofs and its code is ours."""
    code = rpc.code(contract)
    if not is_our_code(code):
        return None
    found = rpc_proofs.account(rpc, contract, rule_slots(), number)
    return None if found is None else AccountProof(code, *found, constants)


def _parts(
    rpc: Rpc, contract: Address, loggers: Collection[Address], number: int
) -> Iterator[PartProof]:
    """The code behind the satellites' logs, on a chain that has proven the ledger's."""
    for part in needed(contract, loggers):
        address = part_addresses(contract)[part]
        found = rpc_proofs.account(rpc, address, (), number)
        if found is None:
            raise _contradiction(f"it proves the ledger's code and not that of {part}")
        yield PartProof(part, rpc.code(address), found[0])


def _check(bundle: Bundle) -> None:
    hashes = {read_header(raw).hash for raw in bundle.headers}
    try:
        check(bundle, Anchors(hashes))
    except ProofRefused as error:
        raise _contradiction(error.message) from error


@contextmanager
def _reading(number: int) -> Iterator[None]:
    """What a field of the chain's answer may fail with, as a ChainError."""
    try:
        yield
    except (KeyError, ValueError, TypeError) as error:
        raise ChainError(
            f"Block {number} cannot be read as a header and receipts: {error!r}.",
            hint="Do not trust this endpoint with the ledger; use another one.",
        ) from error


def _contradiction(what: str) -> ChainError:
    return ChainError(
        f"The chain does not prove what the copy says: {what}.",
        hint="The chain may just have gone back: try again. Else run `kudos audit`.",
    )
