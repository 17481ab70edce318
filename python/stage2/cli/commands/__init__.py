"""The commands of stage2, each in a file of its own."""
