"""One application for servers: ASGI and WSGI. A request for /hold keeps the GIL for 0.4 s."""

import asyncio
import ctypes
import os
import threading
import time

HOLD_US = 400_000


def beat() -> None:
    """Want the GIL all the time."""
    while True:
        time.sleep(0.005)


def answer(path: str) -> bytes:
    """Return the body for a path: the process that served it."""
    if path == "/hold":
        ctypes.PyDLL(None).usleep(HOLD_US)
    return f"{os.getpid()}".encode()


def wsgi(environ: dict, start_response: object) -> list[bytes]:
    """Serve by WSGI."""
    if not any(thread.name == "beat" for thread in threading.enumerate()):
        threading.Thread(target=beat, name="beat", daemon=True).start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(environ["PATH_INFO"])]


async def asgi(scope: dict, _receive: object, send: object) -> None:
    """Serve by ASGI, in threads of a pool."""
    if scope["type"] != "http":
        return
    body = await asyncio.to_thread(answer, scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
