"""The rules of the ledger in plain Python, for the contracts to be compared with.

Written from the interfaces' text, with sets and dictionaries where the contracts have bit masks and
packed words, and with validators' names where they have seats. Nothing here is shared with the
index or the audit. Events are what the contracts should log, refusals what they should revert with.
"""

from __future__ import annotations

from tests.integration.ledger_model.model import LedgerModel
from tests.integration.ledger_model.state import Event, Refused, Signed

__all__ = ["Event", "LedgerModel", "Refused", "Signed"]
