"""A cell's code as a program of its own: line numbers, names, what needs the notebook."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from gilscope.errors import UsageError
from gilscope.jupyter import carry
from gilscope.jupyter.cell import CellError, Source, as_program, read_setup
from gilscope.jupyter.names import free_names
from gilscope.jupyter.options import HelpShown, make_parser, parse

if TYPE_CHECKING:
    from pathlib import Path

transform = TransformerManager().transform_cell


def program(text: str, first_line: int = 2, **namespace: object) -> str:
    """Return the program of a cell in a notebook with some variables."""
    return as_program(Source(text, "<cell 3>", first_line), transform, namespace)[0]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("print(a + b)", {"a", "b"}),
        ("import a.b\na.b.c()", set()),
        ("from x import y as z\nz()", set()),
        ("a = 1\ndef f(b):\n    return a + b + c\nf(2)", {"c"}),
        ("def f():\n    global g\n    g = 1\nf()\ng", set()),
        ("class A:\n    x = 1\n    y = x + z\nA()", {"z"}),
        ("[i * n for i in range(3)]", {"n"}),
        ("for i in range(3):\n    print(i)", set()),
        ("with open('f') as f:\n    f.read()", set()),
        ("def outer():\n    x = 1\n    def inner():\n        return x\n    return inner", set()),
        ("__name__ == '__main__' and exit(3)", set()),
        ("try:\n    1\nexcept ValueError as error:\n    error", set()),
    ],
)
def test_free_names_are_those_that_nothing_defines(code: str, names: set[str]) -> None:
    """Names that a program uses and does not define, builtins left out."""
    assert free_names(code) == names


def test_lines_keep_the_numbers_that_they_have_in_the_cell() -> None:
    """The magic's own line and empty lines are counted."""
    assert program("\n\nx = 1\n").splitlines().index("x = 1") == 3


def test_notebook_variables_travel() -> None:
    """Those that the cell needs, and no others."""
    source = Source("print(a, b)", "<cell 3>", 2)
    carried = as_program(source, transform, {"a": 1, "b": [2], "c": 3})[1]
    assert pickle.loads(carried.values) == {"a": 1, "b": [2]}  # noqa: S301 - just made


def test_notebook_variables_that_cannot_travel_are_named_with_a_way_out() -> None:
    """Each with its reason, in one line."""
    lock = threading.Lock()
    with pytest.raises(UsageError, match=r"a: a lock, which.*make it in the cell") as caught:
        program("print(a, b)", a=lock, b=lambda: 1)
    assert "; b: a lambda: use def" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_setup_file_makes_what_cannot_travel(tmp_path: Path) -> None:
    """It runs before the code, which then needs less of the notebook."""
    file = tmp_path / "setup.py"
    file.write_text("import threading\nlock = threading.Lock()\n")
    carried = as_program(
        Source("print(lock, n)", "<cell 3>"),
        transform,
        {"lock": threading.Lock(), "n": 1},
        setup=read_setup(str(file)),
    )[1]
    names: dict[str, Any] = {}
    carried.provide(names)
    assert names["n"] == 1
    with names["lock"]:
        pass


@pytest.mark.parametrize("text", [None, "x = = 1", "\0"])
def test_a_setup_file_that_cannot_be_is_told(tmp_path: Path, text: str | None) -> None:
    """One that is not there, that is no Python, or that is no text."""
    if text is not None:
        (tmp_path / "setup.py").write_text(text)
    with pytest.raises((UsageError, CellError)):
        read_setup(str(tmp_path / "setup.py"))


def test_inputs_travel_unnamed_and_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the option names; a missing one gives an error."""
    monkeypatch.setattr(carry, "MAX_BYTES", 1000)
    source, known = Source("print(eval('data'))", "<cell 3>"), {"data": bytes(5000)}
    carried = as_program(source, transform, known, inputs=("data",))[1]
    names: dict[str, Any] = {}
    carried.provide(names)
    assert names["data"] == bytes(5000)
    with pytest.raises(UsageError, match="the notebook has no variable other"):
        as_program(source, transform, known, inputs=("data", "other"))


def test_a_name_that_nobody_knows_is_left_to_the_program() -> None:
    """A misspelt name raises where the program uses it, as it always does."""
    assert "print(nme)" in program("print(nme)", name=1)


def test_a_redefined_variable_is_the_programs_own() -> None:
    """What the cell defines itself does not need the notebook."""
    assert "x = 2" in program("x = 2\nprint(x)", x=1)


@pytest.mark.parametrize("line", ["%timeit 1", "!ls", "value = !ls", "int?"])
def test_what_needs_the_shell_is_shown_as_it_was_typed(line: str) -> None:
    """Magics and shell commands are refused, by their line."""
    with pytest.raises(UsageError) as caught:
        program(f"x = 1\n{line}\n")
    assert f"`{line}`" in str(caught.value)


def test_input_is_refused_by_its_line() -> None:
    """A program of its own has nobody to ask; a function of the same name is the cell's own."""
    with pytest.raises(UsageError, match=r"`name = input\(1\)` asks for input"):
        program("x = 1\nname = input(1)\n")
    program("def input(x):\n    return x\ninput(1)\n")
    program("def f(input):\n    return input(1)\nf(len)\n")


def test_a_syntax_error_is_shown_with_the_cells_line() -> None:
    """The traceback of a syntax error is Python's own, without ours."""
    with pytest.raises(CellError) as caught:
        program("x = 1\ny = = 2\n")
    lines = caught.value._render_traceback_()
    assert 'File "<cell 3>", line 3' in lines[0]
    assert lines[-1] == "SyntaxError: invalid syntax"


def test_options_end_where_the_statement_begins() -> None:
    """The statement is taken letter by letter, quotes and blanks included."""
    line = """--repeat 5 -o res f("a  b", 'c') - -1 --builds"""
    options, statement = parse(line, make_parser())
    assert (options.repeat, options.name) == (5, "res")
    assert statement == """f("a  b", 'c') - -1 --builds"""


def test_two_dashes_end_the_options() -> None:
    """A statement may begin with a minus."""
    options, statement = parse("--builds=ft -- -x", make_parser())
    assert options.builds == ("ft",)
    assert statement == "-x"


@pytest.mark.parametrize(
    "line",
    ["--bogus", "--repeat 0", "--repeat", "--repeat x", "--builds gil,gil", "-o 2x", "--rep 3"],
)
def test_a_wrong_option_is_one_line_with_the_usage(line: str) -> None:
    """What is wrong and how it is right, and no exit."""
    with pytest.raises(UsageError, match=r"usage: %%profile_threads \[--repeat N\]") as caught:
        parse(line, make_parser())
    assert "\n" not in str(caught.value)


def test_help_is_printed_and_nothing_exits(capsys: pytest.CaptureFixture[str]) -> None:
    """The option -h prints the help."""
    with pytest.raises(HelpShown):
        parse("-h", make_parser())
    assert "--builds BUILD,BUILD" in capsys.readouterr().out
