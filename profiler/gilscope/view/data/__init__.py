"""What the views show, as plain data: no HTML, no Bokeh."""
