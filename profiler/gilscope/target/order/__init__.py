"""The order of locks: which thread asked for what while it held what.

This runs in the program: standard library and our own wheel only.
"""
