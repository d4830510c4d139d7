"""Whatever dies, the undo happens: guardian, sweeper, lease. Standard library only."""
