"""What all tests share."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

INTEGRATION = Path(__file__).parent / "integration"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make check`."""
    parser.addoption(
        "--one-a-family",
        action="store_true",
        help="of each file of tests/integration only the first test, once for each build",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that --one-a-family does not want."""
    if not config.getoption("--one-a-family"):
        return
    seen = set()
    kept, left_out = [], []
    for item in items:
        call = getattr(item, "callspec", None)
        family = (item.path, call.params.get("interpreter") if call else None)
        wanted = INTEGRATION not in item.path.parents or family not in seen
        (kept if wanted else left_out).append(item)
        seen.add(family)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs under test: a shell's background jobs ignore it, and theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
