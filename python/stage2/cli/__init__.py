"""The command line: flags, the run folder, what a command reads."""
