"""Tools that every other room uses: errors, files, devices, processes."""
