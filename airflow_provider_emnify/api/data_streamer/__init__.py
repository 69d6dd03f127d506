"""The records that emnify's Data Streamer writes into files."""
