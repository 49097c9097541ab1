"""What the environment variable GILSCOPE asks for."""

from __future__ import annotations

import re

import pytest

from gilscope.errors import UsageError
from gilscope.target.recording.environment import program_of, requested
from gilscope.target.recording.options import RecordingOptions


@pytest.mark.parametrize("text", ["", "0", "off", " "])
def test_nothing_is_asked_for(text: str) -> None:
    """Without a value, and where it is switched off."""
    assert requested(text) is None


@pytest.mark.parametrize("text", ["1", "on"])
def test_a_plain_recording(text: str) -> None:
    """With the options as they are by default, in the current folder."""
    request = requested(text)
    assert request is not None
    assert (request.folder, request.options) == (".", RecordingOptions())


def test_options_are_those_of_the_command() -> None:
    """Their names without dashes, with the same values."""
    request = requested("ring, when=gil_wait>50ms,max-bytes=64M,no-native-locks,children,dir=/x")
    assert request is not None
    assert request.folder == "/x"
    assert request.options == RecordingOptions(
        ring=True,
        when="gil_wait>50ms",
        max_bytes=64 << 20,
        native_locks=False,
        follow_children=True,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rung", "unknown word 'rung': it takes dir=FOLDER, max-bytes"),
        ("sample", "sample needs a value"),
        ("ring=1", "ring takes no value"),
        ("max-bytes=x", "max-bytes: 'x' is not a size in bytes"),
        ("when=gil_wait>50ms", "it takes ring=True"),
        ("dir=", "unknown word 'dir'"),
    ],
)
def test_errors_are_one_line(text: str, message: str) -> None:
    """They say what was wrong and what there is."""
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        requested(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python app.py --x", "app"),
        ("python -X gil=0 -W error -u /srv/app.py", "app"),
        ("python -m uvicorn app:app", "uvicorn"),
        ("python -mcelery worker", "celery"),
        ("/venv/bin/python /venv/bin/gunicorn app", "gunicorn"),
        ("python -c pass", "python"),
        ("python", "python"),
        ("python -", "python"),
    ],
)
def test_traces_are_named_for_the_program(command: str, name: str) -> None:
    """By the module or the script that Python runs."""
    assert program_of(command.split()) == name
