"""The ledger: signed assets, the chain they settle on, and the indexed copy that nodes read."""
