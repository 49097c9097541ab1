"""Classes of a few constant fields, for what is loaded into the program under test.

`dataclasses` would load inspect, ast, dis, tokenize and a dozen more modules into the program,
which may not use them itself. Standard library only, and of that nothing but typing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform

_MISSING: Any = object()


class Field:
    """What a class says of a field besides its type.

    Attributes:
        default: The value of the field where none is given.
        metadata: Anything that whoever reads `Frozen.fields` wants to know.
    """

    def __init__(self, *, default: Any, metadata: dict[str, Any]) -> None:
        """Store the default and the metadata."""
        self.default = default
        self.metadata = metadata


def field(*, default: Any, metadata: dict[str, Any]) -> Any:
    """Give a field a default value and metadata."""
    return Field(default=default, metadata=metadata)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Frozen:
    """A base of such classes: annotations are fields, given by name; none changes afterwards."""

    _fields: ClassVar[dict[str, Field]] = {}

    def __init_subclass__(cls) -> None:
        """Collect the fields; a default becomes the attribute of the class."""
        cls._fields = {}
        for name in cls.__annotations__:
            value = cls.__dict__.get(name, _MISSING)
            one = value if isinstance(value, Field) else Field(default=value, metadata={})
            cls._fields[name] = one
            if one.default is not _MISSING:
                setattr(cls, name, one.default)

    def __init__(self, **values: Any) -> None:
        """Set each field.

        Raises:
            TypeError: One is missing, or there is no such field.
        """
        for name, one in self._fields.items():
            value = values.pop(name, one.default)
            if value is _MISSING:
                raise TypeError(f"{type(self).__name__}: the field {name} is missing")
            self.__dict__[name] = value
        if values:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(values)}")
        self._check()

    def _check(self) -> None:
        """Raise an error if a value is invalid."""

    @classmethod
    def fields(cls) -> dict[str, Field]:
        """Return what is known of each field, by its name."""
        return dict(cls._fields)

    def as_dict(self) -> dict[str, Any]:
        """Return the value of each field, by its name."""
        return {name: self.__dict__[name] for name in self._fields}

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with other values of some fields.

        Raises:
            TypeError: There is no such field.
        """
        return type(self)(**{**self.as_dict(), **changes})

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse."""
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def __delattr__(self, name: str) -> None:
        """Refuse."""
        raise AttributeError(f"{type(self).__name__}.{name} cannot be removed")

    def __eq__(self, other: object) -> bool:
        """Compare the fields."""
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        """Hash the fields, consistent with ``==``."""
        return hash(tuple(self.as_dict().items()))

    def __repr__(self) -> str:
        """Return the class and its fields as text."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({values})"
