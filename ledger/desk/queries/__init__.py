"""What the auditor's desk asks of the indexed copy; every answer comes from one snapshot.

Totals come from roll-ups (``ledger.facet_rollups``), lists are cut by cursors that stay where they
are while rows arrive, and what cannot be answered in a bounded time says so in its answer.
"""
