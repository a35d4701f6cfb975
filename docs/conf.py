"""How Sphinx makes the site; `python docs/make_site.py` calls it with the pictures drawn anew."""

from __future__ import annotations

from typing import Any

from pygments.lexers.special import TextLexer

from fitlog import __version__

project = "fitlog"
author = "the authors of fitlog"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["images"]

html_theme = "furo"
html_title = "fitlog"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False

# Nothing is asked for from the network, and a link that leads nowhere is an error.
nitpicky = True
# Names of Python and of other packages are described elsewhere; ours must be described here.
nitpick_ignore_regex = [("py:.*", r"(?!fitlog).*")]
nitpick_ignore = [
    ("py:class", "fitlog.run.lines.Batch"),  # a type variable
    ("py:class", "fitlog_parsers.columns.Counts"),  # what is kept of a file, for the readers alone
    # what an archive is made of, for the indexers alone
    ("py:class", "fitlog.archive.store.Store"),
    ("py:class", "fitlog.archive.manifest.Manifest"),
    ("py:class", "fitlog.archive.manifest.Group"),
]

# `name` in a docstring is code, as in Markdown.
default_role = "code"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # `DIALECTS`, not all that it holds
napoleon_google_docstring = True

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# The notebook is kept without its outputs, and run with each build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_merge_streams = True


def setup(app: Any) -> None:
    """Grammars are shown as text: no lexer of Pygments knows the W3C's form of EBNF."""
    app.add_lexer("ebnf", TextLexer)
