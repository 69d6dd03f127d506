"""Where a transfer writes: files and tables."""
