"""Outside tools in child processes of their own, for steps and faults alike."""
