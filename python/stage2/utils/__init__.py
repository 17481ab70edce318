"""Tools for every room: errors, files, the terminal, devices, processes."""
