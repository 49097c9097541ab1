"""Samples where all threads of a recorded process are, from outside, beside the probe.

By py-spy, which reads stock builds, else by gilscope's own reader of stacks. Both read memory only.
Standard library only.
"""
