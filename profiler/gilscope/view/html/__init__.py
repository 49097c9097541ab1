"""HTML, SVG and Bokeh figures of that data."""
