"""The ledger: a small real service, there to be broken."""
