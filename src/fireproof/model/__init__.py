"""Frozen data, no I/O. Import from the noun's own file: the guardian must not load pydantic."""
