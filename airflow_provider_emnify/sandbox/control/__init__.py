"""How a test or a person steers the sandbox: controls, faults, the clock and the log."""
