"""Settings of Sphinx for the documentation; `make docs` runs it on what tools/docs.py lays out."""

from gilscope import __version__

project = "gilscope"
author = "the gilscope authors"
copyright = "the gilscope authors"  # noqa: A001 - Sphinx's name for it
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
default_role = "literal"  # docstrings write `name`
smartquotes = False  # options begin with two dashes
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"gilscope {version}"
html_static_path = []
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
