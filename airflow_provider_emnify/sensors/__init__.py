"""Tasks that wait for something in emnify."""
