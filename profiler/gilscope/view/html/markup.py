"""Small pieces of HTML. Whatever comes from a program under test goes through :func:`text`."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CODE = re.compile("`([^`]+)`")

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta name="generator" content="gilscope">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
{style}
"""
"""How each page begins: a template with its title and `style()`."""


def text(value: object) -> str:
    """Return ``value`` as text that cannot be taken for markup."""
    return escape(str(value), quote=True)


def prose(value: object) -> str:
    """Return ``value`` as :func:`text`, in which what stands between backticks looks like code."""
    return CODE.sub(r"<code>\1</code>", text(value))


def element(name: str, content: str, css: str = "") -> str:
    """Return an element around ``content``, which is markup already."""
    attribute = f' class="{css}"' if css else ""
    return f"<{name}{attribute}>{content}</{name}>"


def join(parts: Iterable[str]) -> str:
    """Return the parts, a line each."""
    return "\n".join(part for part in parts if part)


@cache
def sheet() -> str:
    """Return the style sheet that all views share, without what is for its readers.

    Each view in a saved notebook has one.
    """
    written = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return re.sub(r"(?<=[{};,:])\s+|\s+(?=[{}])", "", COMMENT.sub("", written)).strip()


def style() -> str:
    """Return it as an element."""
    return f"<style>\n{sheet()}</style>"
