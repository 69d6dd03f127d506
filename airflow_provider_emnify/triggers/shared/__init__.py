"""What all triggers of a triggerer share: one registry of connections and pollers, and a feed of events."""
