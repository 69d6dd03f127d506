"""The state of the sandbox: what emnify would keep, and what happens there by itself."""
