"""Finds memory that threads on several processors write to: nobody waits, and all are slow.

The kernel samples where the threads are; what an instruction there touches is worked out from
outside, by reading memory. Standard library only.
"""
