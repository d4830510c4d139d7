"""Notification providers: three of them, so that a chain has somewhere to go."""
