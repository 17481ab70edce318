"""What every room needs: errors, files, the terminal, devices, processes."""
