"""Races: what breaks without the GIL, found in a run of the program.

This runs in the program: standard library and our own wheel only.
"""
