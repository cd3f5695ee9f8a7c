"""Request-level simulation of serving engines."""
