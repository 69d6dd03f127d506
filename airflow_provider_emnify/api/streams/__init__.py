"""What can be synced: the catalogue of streams, their columns, and how each is read."""
