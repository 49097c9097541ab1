"""The table of options, from which the parsers of the commands and of the magic are built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.cli import make_parser as command_parser
from gilscope.errors import UsageError
from gilscope.jupyter.options import make_parser as magic_parser
from gilscope.jupyter.options import parse
from gilscope.options import OPTIONS, comparison, recording
from gilscope.target.recording.options import RecordingOptions, size

if TYPE_CHECKING:
    import argparse


def of_command(*words: str) -> argparse.Namespace:
    """Parse the options of ``gilscope compare``."""
    options: argparse.Namespace = command_parser().parse_args(["compare", *words, "x.py"])
    return options


def of_magic(*words: str) -> argparse.Namespace:
    """Parse the options of the magic."""
    return parse(" ".join(words), magic_parser())[0]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--builds", "ft,gil"],
        ["--repeat", "7"],
        ["--threads", "1,2,4"],
        ["--affinity", "0"],
        ["--timeout", "2.5"],
        ["--max-bytes", "500M"],
        ["--no-native-locks"],
        ["--native-locks"],
        ["--python", "/a", "--ft-python", "/b"],
    ],
)
def test_an_option_means_the_same_in_the_command_and_in_the_magic(words: list[str]) -> None:
    """Both hand the same arguments on."""
    assert comparison(of_command(*words)) == comparison(of_magic(*words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--builds gil,nogil", "unknown build 'nogil': choose from gil, ft-gil, ft"),
        ("--builds gil,gil", "'gil,gil' names a build twice"),
        ("--repeat 0", "'0' is not a whole number of 1 or more"),
        ("--repeat x", "'x' is not a whole number of 1 or more"),
        ("--threads 1,x", "'1,x' is not a list of whole numbers such as 1,2,4"),
        ("--timeout soon", "'soon' is not a number of seconds greater than 0"),
        ("--timeout -1", "'-1' is not a number of seconds greater than 0"),
        ("--timeout inf", "'inf' is not a number of seconds greater than 0"),
        ("--max-bytes 1T", "'1T' is not a size in bytes, such as 500M"),
    ],
)
def test_a_bad_value_gets_the_same_message_in_both(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names no function of ours."""
    with pytest.raises(SystemExit, match="2"):
        of_command(*words.split())
    assert message in capsys.readouterr().err
    with pytest.raises(UsageError) as caught:
        of_magic(*words.split())
    assert message in str(caught.value)


def test_each_field_of_the_recording_is_an_option() -> None:
    """A new field needs no other place to become one."""
    described = {option.dest for option in OPTIONS}
    assert RecordingOptions.fields().keys() <= described


def test_options_of_the_recording_reach_it() -> None:
    """Those of ``gilscope run``, each other than by default."""
    words = ["--max-bytes", "64M", "--ring", "--children", "--no-native-locks"]
    options = command_parser().parse_args(["run", *words, "x.py"])
    assert recording(options) == RecordingOptions(
        max_bytes=64 << 20, ring=True, follow_children=True, native_locks=False
    )


@pytest.mark.parametrize("number", [0, 1 << 20, 1 << 62])
def test_a_size_that_no_trace_can_have(number: int) -> None:
    """The message has the limits."""
    with pytest.raises(UsageError, match="8388608 to 17592186044416 bytes"):
        RecordingOptions(max_bytes=number)


@pytest.mark.parametrize("name", ["max_bytes", "sample"])
def test_what_is_no_number(name: str) -> None:
    """One clear line, not an error of a comparison."""
    with pytest.raises(UsageError, match=f"{name} is a whole number, not 'lots'"):
        RecordingOptions().replaced(**{name: "lots"})


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("2K", 2048), ("3m", 3 << 20)])
def test_sizes(text: str, number: int) -> None:
    """K, M and G are powers of 1024."""
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "-1", "K", "1T", "x", "1.5G"])
def test_sizes_that_are_none(text: str) -> None:
    """Nothing but a whole number."""
    with pytest.raises(ValueError, match="is not a size in bytes"):
        size(text)
