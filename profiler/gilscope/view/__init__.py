"""What people look at: timelines, tables, the report, the widget.

Data first, looks second: :mod:`gilscope.view.data` turns a comparison into plain columns and rows,
and knows neither HTML nor Bokeh; :mod:`gilscope.view.html` and :mod:`gilscope.view.notebook` show
them, with the scripts in ``app/``.
"""
