"""Trace files that are made of finished ones: packed or merged."""
