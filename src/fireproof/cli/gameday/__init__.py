"""A game day as it goes: planned, conducted, sealed, and recovered when its process died."""
