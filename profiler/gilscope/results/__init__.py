"""Results of runs as data: runs, comparisons, their statistics, what was matched in them.

Text, JSON, HTML and tables are made of it elsewhere, and none of these reads another's output.
"""
