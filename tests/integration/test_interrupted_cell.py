"""A notebook's interrupt while a magic works, in a real kernel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)

SECONDS = 120
CELL = "import time\nprint('started', flush=True)\ntime.sleep(100)\n"


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[Any, Any]]:
    """A kernel with the magics, and a client of it."""
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute_interactive("%load_ext gilscope", timeout=SECONDS)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("magic", ["profile_threads", "races", "lock_order"])
def test_an_interrupt_shows_no_frames(kernel: tuple[Any, Any], magic: str) -> None:
    """One line, and the kernel goes on."""
    manager, client = kernel
    errors: list[dict[str, Any]] = []

    def see(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and "started" in content["text"]:
            manager.interrupt_kernel()
        if message["msg_type"] == "error":
            errors.append(content)

    client.execute_interactive(f"%%{magic}\n{CELL}", output_hook=see, timeout=SECONDS)
    [error] = errors
    assert error["traceback"] == [f"{magic}: interrupted"]
    reply = client.execute_interactive("1 + 1", timeout=SECONDS)
    assert reply["content"]["status"] == "ok"
