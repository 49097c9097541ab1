"""Starts and stops the native probe: in this process, and in the processes that it makes."""
