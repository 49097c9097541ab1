"""A FastAPI application as many are: validated JSON in and out, plain functions and coroutines.

``POST /recorder/on?path=…`` and ``/recorder/off`` begin and end a recording into a ring.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack

from fastapi import FastAPI
from pydantic import BaseModel

import gilscope

ROWS = 20


class Item(BaseModel):
    """One row of an answer."""

    number: int
    name: str
    price: float
    tags: list[str]


class Order(BaseModel):
    """An answer."""

    customer: str
    items: list[Item]
    total: float


app = FastAPI()
lock = threading.Lock()
served: dict[str, int] = {}
recorder = ExitStack()


def order(customer: str) -> Order:
    """Make an answer; threads share a count behind a lock."""
    items = [Item(number=n, name=f"item {n}", price=n * 1.25, tags=["a", "b"]) for n in range(ROWS)]
    with lock:
        served[customer] = served.get(customer, 0) + 1
    return Order(customer=customer, items=items, total=sum(item.price for item in items))


@app.get("/threads/{customer}")
def in_a_thread(customer: str) -> Order:
    """Answer in a thread of the pool."""
    return order(customer)


@app.get("/loop/{customer}")
async def in_the_loop(customer: str) -> Order:
    """Answer in the thread of the event loop."""
    return order(customer)


@app.post("/recorder/on")
def record(path: str) -> None:
    """Begin to record."""
    recorder.enter_context(gilscope.profile(path, ring=True, max_bytes=64 << 20))


@app.post("/recorder/off")
def stop() -> None:
    """End the recording."""
    recorder.close()
