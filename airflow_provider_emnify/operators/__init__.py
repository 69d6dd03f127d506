"""Tasks that do something with emnify."""
