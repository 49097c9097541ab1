"""Runs programs: in this process, or in workers of other interpreters, timed and repeated fairly.

:mod:`gilscope.run.target` and :mod:`gilscope.run.worker` run inside the program under test and need
the standard library and the probe only.
"""
