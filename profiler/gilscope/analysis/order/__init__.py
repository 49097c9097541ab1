"""The order in which threads take locks, and the cycles in it. Standard library only.

All but `traced`, which reads traces.
"""
