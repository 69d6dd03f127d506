"""What a transfer reads."""
