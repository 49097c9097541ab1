"""What speedscope makes of our exports."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from consumers import npm_release
from gilscope.export import export_file
from gilscope.trace.reading.reader import read
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

TIMEOUT_MS = 90_000


class _Handler(http.server.SimpleHTTPRequestHandler):
    """speedscope's files, and the profile beside them."""

    def __init__(self, *args: object, profile: Path, **options: object) -> None:
        self._profile = profile
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """Path of the file behind an address."""
        return str(self._profile) if path == "/profile" else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def release() -> Path:
    """The folder of speedscope's release; brought by npm once, else skipped by name."""
    return npm_release("speedscope").parent


@contextmanager
def served(release: Path, profile: Path) -> Iterator[str]:
    """The address of a page that loads the profile."""
    handler = functools.partial(_Handler, directory=str(release), profile=profile)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="files", daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            yield f"{address}/index.html#profileURL={address}/profile"
        finally:
            server.shutdown()
            thread.join(10)


def profiles(page: Page, address: str) -> list[str]:
    """What the page calls the profiles of a file, one after the other."""
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(address)
    page.wait_for_function("() => /\\(1\\/\\d+\\)/.test(document.body.innerText)")
    count = int(page.evaluate("() => /\\(1\\/(\\d+)\\)/.exec(document.body.innerText)[1]"))
    found = []
    for number in range(1, count + 1):
        shown = f"({number}/{count})"
        page.wait_for_function("(shown) => document.body.innerText.includes(shown)", arg=shown)
        lines = str(page.evaluate("() => document.body.innerText")).splitlines()
        found += [line.removesuffix(shown).strip() for line in lines if shown in line]
        page.keyboard.press("n")
    return found


def test_threads_are_profiles(
    page: Page, release: Path, tmp_path: Path, console_errors: list[str]
) -> None:
    """Speedscope takes the file: a profile a thread, and one for its callbacks."""
    trace = read(callback_trace().write(tmp_path / "calls.gilscope"))
    path = export_file([trace], "speedscope", tmp_path / "calls.speedscope.json")
    with served(release, path) as address:
        found = profiles(page, address)
    threads = ["MainThread", "pool", "late"]
    assert found == [*threads, "pool: callbacks", "late: callbacks"]
    assert not console_errors


def test_spans_are_profiles(
    page: Page, release: Path, tmp_path: Path, console_errors: list[str]
) -> None:
    """Speedscope shows what the program named, beside the thread."""
    trace = read(span_trace().write(tmp_path / "spans.gilscope"))
    path = export_file([trace], "speedscope", tmp_path / "spans.speedscope.json")
    with served(release, path) as address:
        found = profiles(page, address)
    naming = {trace.thread_name(index) for index in trace.spans.thread.tolist()}
    assert {f"{name}: spans" for name in naming} <= set(found)
    assert not console_errors


def test_several_processes(page: Page, release: Path, tmp_path: Path) -> None:
    """Both runs of a comparison are in one file, told apart by their build."""
    builders = {"gil": gil_trace(), "ft": ft_trace()}
    traces = [read(b.write(tmp_path / f"{name}.gilscope")) for name, b in builders.items()]
    path = export_file(traces, "speedscope", tmp_path / "both.speedscope.json")
    with served(release, path) as address:
        found = profiles(page, address)
    assert found[0] == "gil 3.13.5 MainThread"
    assert "ft 3.13.5 Arbeiter ü" in found


def test_collapsed_stacks(page: Page, release: Path, tmp_path: Path) -> None:
    """Speedscope reads collapsed stacks, too."""
    trace = read(callback_trace().write(tmp_path / "calls.gilscope"))
    path = export_file([trace], "collapsed", tmp_path / "calls.collapsed.txt")
    with served(release, path) as address:
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(address)
        page.wait_for_function("() => document.title.includes('profile')")
        page.wait_for_function("() => document.body.innerText.includes('Time Order')")
