"""The sandbox on the wire: routing, requests, answers, limits and errors."""
