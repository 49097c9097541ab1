"""Tables of a trace for other tools: columns of numpy arrays, pandas and Arrow on request."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.errors import GilscopeError
from gilscope.trace.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A column of texts, few of them different.

    Attributes:
        codes: i32[n], number of each row's text; -1 for none.
        texts: by number.
    """

    codes: npt.NDArray[np.int32]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def values(self) -> npt.NDArray[np.object_]:
        """The texts row by row; None where there is none."""
        return np.array([*self.texts, None], object)[self.codes]


type Column = npt.NDArray[Any] | Category


@dataclass(frozen=True, slots=True, eq=False)
class DataTable:
    """Columns of equal length, by name."""

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def to_pandas(self) -> Any:
        """The table as a `pandas.DataFrame`.

        Raises:
            GilscopeError: pandas is not installed.
        """
        pandas = _library("pandas", "pandas")

        def series(column: Column) -> Any:
            if not isinstance(column, Category):
                return column
            return pandas.Categorical.from_codes(column.codes, categories=list(column.texts))

        return pandas.DataFrame({name: series(c) for name, c in self.columns.items()}, copy=False)

    def to_arrow(self) -> Any:
        """The table as a `pyarrow.Table`.

        Raises:
            GilscopeError: pyarrow is not installed.
        """
        arrow = arrow_library()

        def array(column: Column) -> Any:
            if not isinstance(column, Category):
                return arrow.array(column)
            codes = arrow.array(column.codes, mask=column.codes < 0)
            texts = arrow.array(column.texts, arrow.string())
            return arrow.DictionaryArray.from_arrays(codes, texts)

        return arrow.table({name: array(column) for name, column in self.columns.items()})


def arrow_library() -> Any:
    """The module `pyarrow`.

    Raises:
        GilscopeError: it is not installed.
    """
    return _library("pyarrow", "'gilscope[arrow]'")


def _library(name: str, package: str) -> Any:
    try:
        return __import__(name)
    except ModuleNotFoundError:
        raise GilscopeError(
            f"this needs {name}, which is not installed: pip install {package}"
        ) from None


def category(codes: npt.NDArray[np.integer[Any]], text: Callable[[int], str]) -> Category:
    """Texts for codes; "" is none."""
    used, places = distinct(codes)
    texts = [text(code) for code in used.tolist()]
    known = dict.fromkeys(filter(None, texts))
    numbers = {name: number for number, name in enumerate(known)}
    table = np.array([numbers.get(name, -1) for name in texts], np.int32)
    return Category(table[places].astype(np.int32), tuple(known))


def of_objects(
    objects: Sequence[Any], numbers: Mapping[str, Any], texts: Sequence[str]
) -> DataTable:
    """Return a row an object, from attributes of these names."""
    columns: dict[str, Column] = {
        name: np.array([getattr(one, name) for one in objects], dtype)
        for name, dtype in numbers.items()
    }
    rows = np.arange(len(objects))
    for name in texts:
        texts_of = list(map(attrgetter(name), objects))
        columns[name] = category(rows, texts_of.__getitem__)
    return DataTable(columns)
