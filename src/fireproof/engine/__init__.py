"""Plan → run → sealed."""
