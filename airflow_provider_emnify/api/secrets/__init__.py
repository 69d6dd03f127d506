"""Secrets: how they are recognised and redacted, and folders that one user alone can read."""
