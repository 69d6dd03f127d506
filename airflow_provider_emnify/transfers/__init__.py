"""Transfers: streams of emnify into object storage and SQL databases."""
