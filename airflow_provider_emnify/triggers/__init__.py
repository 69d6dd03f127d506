"""The deferred halves of sensors and operators."""
