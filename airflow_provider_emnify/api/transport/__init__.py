"""One request from its making to its answer: credentials, retries, connections, pages."""
