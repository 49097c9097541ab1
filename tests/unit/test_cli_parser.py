"""Where the options of gilscope end and the program under test begins."""

from __future__ import annotations

import argparse

import pytest

from gilscope.cli import make_parser
from gilscope.cli.parser import CommandParser
from gilscope.target.worker.program import Target


@pytest.fixture
def parser() -> CommandParser:
    """A command with an option that takes a value and one that does not."""
    parser = CommandParser(prog="tool", program=True)
    parser.add_argument("-o", "--output")
    parser.add_argument("--force", action="store_true")
    return parser


def test_options_behind_the_script_are_the_scripts(parser: CommandParser) -> None:
    """Even those that gilscope knows itself."""
    options = parser.parse_args(["-o", "x", "--force", "a.py", "-o", "y", "--help"])
    assert (options.output, options.force) == ("x", True)
    assert options.program == Target("script", "a.py", ("-o", "y", "--help"))


@pytest.mark.parametrize(("flag", "kind"), [("-m", "module"), ("-c", "code")])
def test_module_and_code(parser: CommandParser, flag: str, kind: str) -> None:
    """-m and -c end the options as they do for python."""
    options = parser.parse_args(["--output=x", flag, "thing", "-m", "--force"])
    assert (options.output, options.force) == ("x", False)
    assert options.program == Target(kind, "thing", ("-m", "--force"))


def test_two_dashes_end_the_options(parser: CommandParser) -> None:
    """What follows is the script, whatever it looks like; its own two dashes stay."""
    options = parser.parse_args(["--force", "--", "-strange.py", "--", "x"])
    assert options.program == Target("script", "-strange.py", ("--", "x"))


@pytest.mark.parametrize("words", [[], ["--force"], ["-o"], ["-m"], ["--"], ["-o", "a.py"]])
def test_no_program_is_an_error(
    parser: CommandParser, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says so, with exit status 2."""
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(words)
    assert "tool: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.py", "--builds", "ft", "x"], "--builds"),
        (["a.py", "x", "--builds=ft", "--force"], "--builds --force"),
        (["-m", "a", "--builds", "ft"], "--builds"),
        (["-c", "--builds", "-f", "--other"], ""),
        (["a.py", "--", "--builds", "ft"], ""),
        (["--", "a.py", "--builds", "ft"], ""),
    ],
)
def test_what_looks_like_an_option_of_ours_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And passed to the program, as all that follows it."""
    parser = CommandParser(prog="tool", program=True)
    parser.add_argument("--builds")
    parser.add_argument("-f", "--force", action="store_true")
    options = parser.parse_args(words)
    assert options.builds is None
    assert options.program.args == tuple(words[words.index("a.py") + 1 if "a.py" in words else 2 :])
    line = f"tool: {said}: passed to the program; options of gilscope come before it\n"
    assert capsys.readouterr().err == (line if said else "")


def test_abbreviations_are_not_accepted(parser: CommandParser) -> None:
    """A new option must not change what an old command line means."""
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--forc", "a.py"])


def test_errors_name_no_function_of_ours() -> None:
    """The message of a wrong value is the parser function's, in every command."""
    (commands,) = (
        action.choices
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    parsed = [
        action.type
        for command in commands.values()
        for action in command._actions
        if callable(action.type) and not isinstance(action.type, type)
    ]
    refused = 0
    for parse in parsed:
        try:
            parse("no such value")  # a path may be that
        except argparse.ArgumentTypeError:
            refused += 1
    assert refused > 15
