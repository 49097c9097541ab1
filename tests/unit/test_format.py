"""The reader's constants are those of native_probe/FORMAT.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trace_builder
from gilscope.trace import format as fmt

DOCUMENT = (Path(__file__).parents[2] / "native_probe" / "FORMAT.md").read_text()
LAYOUTS = {
    "## Header": fmt.HEADER,
    "## Chunk header": fmt.CHUNK_HEADER,
    "## Event record": fmt.event_dtype(),
    "## Thread slot": fmt.slot_dtype(),
    "## Definitions": fmt.DEFINITION_HEADER,
}
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


def section(title: str) -> str:
    """Text of a section of the document."""
    begin = DOCUMENT.index(title)
    return DOCUMENT[begin : DOCUMENT.index("\n## ", begin + 1)]


def fields_of(text: str) -> dict[str, tuple[int, int]]:
    """Field → (offset, size) of the first table with offsets; reserved fields left out."""
    found = re.findall(r"^\| (\d+) \| (u\d+)(?:\[(\d+)\])? \| (\w+)", text, re.MULTILINE)
    sizes = {
        name: (int(at), WIDTHS[kind] * int(n or 1))
        for at, kind, n, name in found
        if name != "reserved"
    }
    assert sizes
    return sizes


@pytest.mark.parametrize("title", LAYOUTS)
def test_layouts(title: str) -> None:
    """Each field of a record stands where the document has it, and no other field is there."""
    dtype: Any = LAYOUTS[title]
    ours = {
        name: (offset, field.itemsize)
        for name, (field, offset, *_) in dtype.fields.items()
        if not name.startswith("reserved")
    }
    assert ours == fields_of(section(title))


@pytest.mark.parametrize(
    ("title", "ours"),
    [
        ("## Chunk header", {kind.value: kind.name for kind in fmt.Chunk}),
        ("## Event record", {kind.value: kind.name for kind in fmt.Event}),
        ("## Definitions", {tag.value: tag.name for tag in fmt.Tag}),
    ],
)
def test_kinds(title: str, ours: dict[int, str]) -> None:
    """Kinds of chunk, event and definition have the document's numbers."""
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]{3,}) \|", section(title), re.MULTILINE)
    assert {int(number): name for number, name in rows} == ours


def test_lock_kinds() -> None:
    """Kinds of lock have the document's numbers and names."""
    table = DOCUMENT[DOCUMENT.index("Kinds of lock:") :]
    rows = re.findall(r"^\| (\d+) \| ([a-z_]+) \|", table, re.MULTILINE)
    documented = {int(number): name for number, name in rows}
    assert {n: name for n, name in fmt.LOCK_KINDS.items() if name != "native"} == documented


def test_sizes() -> None:
    """Records have the sizes that the header states."""
    assert fmt.HEADER.itemsize == fmt.HEADER_SIZE
    assert fmt.CHUNK_HEADER.itemsize == fmt.CHUNK_HEADER_SIZE
    assert fmt.event_dtype().itemsize == fmt.EVENT_SIZE
    assert fmt.slot_dtype().itemsize == fmt.SLOT_SIZE


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 4095, (1 << 18) + 5, 3 * (1 << 18)])
def test_checksum(size: int) -> None:
    """The vectorised checksum equals the sum as the document writes it."""
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    assert fmt.checksum(data) == trace_builder.checksum(data.tobytes())


def test_checksum_sees_moved_words() -> None:
    """Words that change places change the checksum, and so does a word that is lost."""
    words = np.arange(1, 9, dtype=np.uint64)
    original = fmt.checksum(words.view(np.uint8))
    assert fmt.checksum(words[::-1].copy().view(np.uint8)) != original
    words[3] = 0
    assert fmt.checksum(words.view(np.uint8)) != original
