"""How each kind of name travels to another interpreter, and why some cannot."""

from __future__ import annotations

import collections
import io
import math
import os
import pickle
import threading
import types
from typing import Any

import pytest

from gilscope.errors import UsageError
from gilscope.jupyter import carry as module
from gilscope.jupyter.carry import carry
from gilscope.target.worker.carried import Carried, Definition, Import, describe, receive


def reason(value: object) -> str:
    """Why it cannot travel."""
    with pytest.raises(UsageError) as caught:
        carry(["it"], {"it": value})
    assert "\n" not in str(caught.value)
    return str(caught.value).partition("copied there: it: ")[2]


def provided(carried: Carried) -> dict[str, Any]:
    """The names that the program has then."""
    names: dict[str, Any] = {}
    carried.provide(names)
    return names


def test_modules_and_what_is_in_them_are_imported() -> None:
    """By the name that the notebook has for them."""
    found = carry(
        ["m", "Ordered", "sin"], {"m": os.path, "Ordered": collections.OrderedDict, "sin": math.sin}
    )
    assert set(found.imports) == {
        Import("m", "posixpath"),
        Import("Ordered", "collections", "OrderedDict"),
        Import("sin", "math", "sin"),
    }
    assert provided(found)["sin"] is math.sin


def test_data_is_pickled() -> None:
    """And is equal there."""
    values = {"a": [1, {"b": (2.5, None)}], "b": bytearray(b"x")}
    assert provided(carry(values, values)) == values


def test_what_the_notebook_does_not_have_is_left_to_the_program() -> None:
    """It may be misspelt."""
    assert carry(["nme"], {"name": 1}) == Carried()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: 1, "a lambda: use def"),
        (threading.Lock(), "a lock, which cannot be pickled (cannot pickle"),
        (io.FileIO(os.devnull), "a FileIO, which cannot be pickled (cannot pickle"),
        ((n for n in ()), "a generator, which cannot be pickled"),
        (types.ModuleType("made_up"), "a module that cannot be imported by its name"),
    ],
)
def test_what_cannot_travel_has_a_reason(value: object, words: str) -> None:
    """And a way out."""
    assert reason(value).startswith(words)


def test_a_closure_cannot_travel() -> None:
    """The variables of the function around it would be missing."""
    inner = 1

    def function() -> int:
        return inner

    function.__module__ = "__main__"
    assert reason(function) == (
        "a function that is defined inside a function: define it at the top level of a cell"
    )


def test_a_function_without_source_cannot_travel() -> None:
    """As one that was made by exec."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(): pass", names)  # noqa: S102 - that is the case
    assert reason(names["f"]).startswith("a function without source text")


def test_too_much_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its size and the limit."""
    monkeypatch.setattr(module, "MAX_BYTES", 1_000_000)
    assert reason(bytes(3_000_000)) == (
        "3 MB when pickled, and 1 MB travel: make or load it in the cell or in a file for --setup, "
        "or name it with --inputs"
    )


def test_a_job_carries_texts_and_standard_input_the_rest() -> None:
    """What is received is what was sent, and the program reads nothing of it."""
    sent = Carried(
        (Import("a", "b", "c"),), b"12345", (Definition("def f(): pass", "<cell 1>", 3),), b"678"
    )
    stdin = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, sent.values + sent.instances)
    os.close(writer)
    try:
        os.dup2(reader, 0)
        assert receive(describe(sent)) == sent
        assert os.read(0, 10) == b""
    finally:
        os.dup2(stdin, 0)
        os.close(reader)
        os.close(stdin)


def test_definitions_come_between_values_and_instances() -> None:
    """A default may need a value, and an instance its class."""
    values = pickle.dumps({"start": 2})
    text = "class A:\n    x = start\n"
    names = provided(Carried((), values, (Definition(text, "<cell 9>", 4),)))
    assert names["A"].x == 2
