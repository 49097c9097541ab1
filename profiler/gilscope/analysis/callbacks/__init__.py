"""Native code that calls into Python: how often, how long, and what happened inside."""
