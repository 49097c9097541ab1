"""Functions that are replaced for a while, among others that do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gilscope.target.patch import Patch, Switch

if TYPE_CHECKING:
    from collections.abc import Callable


class Owner:
    """What has a function that everybody replaces."""

    @staticmethod
    def call() -> list[str]:
        """Say who was called, innermost first."""
        return ["original"]


ORIGINAL = Owner.__dict__["call"].__func__


def make(switch: Switch, original: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """Ours: says so while it is wanted."""
    return lambda: [*original(), *(["ours"] if switch.on else [])]


def wrap(owner: type[Owner]) -> Callable[[], list[str]]:
    """Somebody else's, around what is there; what that was."""
    before = owner.__dict__["call"]
    owner.call = lambda: [*before(), "theirs"]  # type: ignore[method-assign]
    return before  # type: ignore[no-any-return]


@pytest.fixture
def owner() -> type[Owner]:
    """A new one."""
    return type("New", (Owner,), {"call": ORIGINAL})


@pytest.fixture
def patch(owner: type[Owner]) -> Patch:
    """Ours, not yet in place."""
    return Patch(owner, "call", make)


def test_it_is_put_back(owner: type[Owner], patch: Patch) -> None:
    """The very function that was there is there again."""
    patch.install()
    assert owner.call() == ["original", "ours"]
    patch.remove()
    assert owner.__dict__["call"] is ORIGINAL


def test_what_others_put_around_it_stays(owner: type[Owner], patch: Patch) -> None:
    """Theirs is called as before, and ours passes on."""
    patch.install()
    wrap(owner)
    patch.remove()
    assert owner.call() == ["original", "theirs"]


def test_it_serves_again_where_it_was_left(owner: type[Owner], patch: Patch) -> None:
    """However often it is wanted, there is one of it."""
    patch.install()
    wrap(owner)
    for _ in range(3):
        patch.remove()
        patch.install()
    assert owner.call() == ["original", "ours", "theirs"]


def test_others_put_back_what_they_found(owner: type[Owner], patch: Patch) -> None:
    """That is ours; it passes on, and goes when it is next taken away."""
    patch.install()
    found = wrap(owner)
    patch.remove()
    owner.call = found  # type: ignore[method-assign]
    assert owner.call() == ["original"]
    patch.install()
    assert owner.call() == ["original", "ours"]
    patch.remove()
    assert owner.__dict__["call"] is ORIGINAL


def test_it_is_put_around_what_came_meanwhile(owner: type[Owner], patch: Patch) -> None:
    """Somebody put something else there after ours was taken away."""
    patch.install()
    wrap(owner)
    patch.remove()
    wrap(owner)
    patch.install()
    assert owner.call() == ["original", "theirs", "theirs", "ours"]


def test_what_is_not_there_is_left_alone(owner: type[Owner]) -> None:
    """Nothing is put where there was nothing."""
    patch = Patch(owner, "absent", make)
    patch.install()
    patch.remove()
    assert "absent" not in owner.__dict__
