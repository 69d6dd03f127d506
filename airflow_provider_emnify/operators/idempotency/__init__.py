"""Whether it was done already, and whether it may be done."""
