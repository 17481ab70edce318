"""The command line: the flags, the run folder, and the inputs of commands."""
