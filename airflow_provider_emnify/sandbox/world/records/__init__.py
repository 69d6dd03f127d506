"""The records that the sandbox keeps: compact, and free of the wire and of what acts on them."""
