"""``gilscope explain``: the page of a finding, race or hazard. Standard library only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from importlib.resources.abc import Traversable

PAGES = "pages/findings"
"""Folder of the installed package: a copy of docs/findings/."""

SUFFIX = ".md"
OVERVIEW = "README"


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "explain",
        help="print the page of a finding, race or hazard: what it means, an example, the repair",
        description="Print the page of a finding, of a class of races or of a kind of "
        "deadlock to come: what it means, an "
        "example, the repair, and when it is reported. Without a name, list the names.",
        epilog="Exit status: 0; 2 if there is no such name.",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="as `gilscope findings` prints it, e.g. hot-lock"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the page, or the names.

    Raises:
        UsageError: There is no page of this name.
    """
    found = pages()
    say(page(options.name, found) if options.name else "\n".join(found))
    return 0


def pages() -> dict[str, Traversable]:
    """Return the pages by name, in the order of the names.

    Raises:
        UsageError: The pages are not installed.
    """
    from importlib.resources import files  # noqa: PLC0415 - slow, and not for programs under test

    folder = files("gilscope") / PAGES
    if not folder.is_dir():
        raise UsageError("the pages of findings are not installed: read docs/findings/")
    found = {path.name.removesuffix(SUFFIX): path for path in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if name != OVERVIEW}


def page(name: str, found: dict[str, Traversable]) -> str:
    """Return the text of a page.

    Raises:
        UsageError: There is no page of this name; the message has the nearest names.
    """
    # People also type what reports say: "lost update".
    key = "-".join(name.lower().split())
    if key not in found:
        import difflib  # noqa: PLC0415 - seldom, and never in a program under test

        near = difflib.get_close_matches(key, found, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "`gilscope explain` lists the names"
        raise UsageError(f"no finding {name!r}: {hint}")
    return found[key].read_text(encoding="utf-8").rstrip()
