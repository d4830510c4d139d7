"""The Merkle engine: proves to anyone that an event is in the ledger and stays there."""
