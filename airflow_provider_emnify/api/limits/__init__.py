"""The documented rate limits: buckets that processes share, and the stores they lie in."""
