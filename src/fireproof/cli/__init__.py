"""The command line: one file a command, and the place where the rooms are introduced."""
