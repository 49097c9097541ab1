"""What people look at: timelines, tables, the report, the widget.

Columns first, glyphs second: :mod:`gilscope.view.columns` turns segments into plain numpy arrays
and knows nothing of Bokeh; :mod:`gilscope.view.timeline` makes figures of them.
"""
