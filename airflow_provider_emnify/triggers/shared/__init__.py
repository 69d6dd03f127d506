"""What all triggers of a triggerer share: one connection, one poller, one feed of events."""
