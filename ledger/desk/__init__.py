"""The auditor's desk: pages and API over the indexed copy, read-only."""
