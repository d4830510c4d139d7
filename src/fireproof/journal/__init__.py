"""Append-only, hash-chained, fsynced record of what happened."""

from fireproof.journal.reader import Journal, read_bytes, read_journal
from fireproof.journal.writer import JournalWriter, sync_folder

__all__ = ["Journal", "JournalWriter", "read_bytes", "read_journal", "sync_folder"]
