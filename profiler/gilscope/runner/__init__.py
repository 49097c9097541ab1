"""Runs programs in workers of other interpreters, timed and repeated fairly."""
