"""Explains from outside why a process stands still: by /proc and by its memory, reading only.

Nothing is stopped, no signal is sent and no system call is interrupted: a thread that sleeps does
not notice. Standard library only, so it also runs in interpreters that have nothing installed.
"""
