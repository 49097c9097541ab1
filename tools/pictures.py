#!/usr/bin/env python3
"""Takes the pictures of the documentation from the report that `make demo` has written.

    .venv/bin/python tools/pictures.py [--report out/demo/report.html]

Each picture says within itself which words and colours the view had when it was taken; a test
compares them with those of today.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from playwright.sync_api import sync_playwright

from gilscope.view.data.palette import LOOKS
from gilscope.view.html.verdict import SIGNS

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
APP = ROOT / "profiler" / "gilscope" / "view" / "app"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1280, "height": 1400}
SCALE = 1.25
KEYWORD = b"gilscope-view"
READY = '() => document.querySelector("section.gilscope:last-of-type")?.dataset.drawn'
# From the heading to the end of the timelines: of the last section, which is parallel_eval's.
CLIP = """() => {
  const section = [...document.querySelectorAll("section.gilscope")].at(-1)
  section.scrollIntoView()
  section.gilscope.set("theme", "light")
  section.querySelector(".controls").style.display = "none"
  section.querySelector(".status").style.display = "none"
  const { left, top, width } = section.getBoundingClientRect()
  const stage = section.querySelector('[data-role="stage"]').getBoundingClientRect()
  return { x: left + scrollX, y: top + scrollY, width, height: stage.bottom - top + 6 }
}"""


def facts() -> dict[str, object]:
    """Return what a picture of the view shows, apart from one run's numbers."""
    return {
        "states": {look.label: look.color for look in LOOKS.values()},
        "outcomes": {kind: sign for kind, (_, sign) in SIGNS.items()},
    }


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def marked(png: bytes, said: dict[str, object]) -> bytes:
    """Return the picture with what it shows, as text, before its last chunk."""
    text = KEYWORD + b"\0" + json.dumps(said, sort_keys=True).encode("ascii")
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk(b"tEXt", text) + png[end:]


def said_by(png: bytes) -> dict[str, object] | None:
    """Return the facts that a picture carries; None if it carries none."""
    at = 8
    while at + 8 <= len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        data = png[at + 8 : at + 8 + size]
        if png[at + 4 : at + 8] == b"tEXt" and data.startswith(KEYWORD + b"\0"):
            return json.loads(data[len(KEYWORD) + 1 :])
        at += size + 12
    return None


def take(report: Path, chromium: str) -> bytes:
    """Return a picture of the timelines in a report."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE)
        page.goto(report.resolve().as_uri())
        page.wait_for_function(READY, timeout=60_000)
        page.evaluate(CLIP)
        page.wait_for_timeout(1000)
        png = page.screenshot(clip=page.evaluate(CLIP), full_page=True)
        browser.close()
    return png


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "demo" / "report.html")
    report = parser.parse_args().report
    if not report.is_file():
        print(f"pictures: {report} is not there: make demo", file=sys.stderr)
        return 1
    found = subprocess.run(
        [sys.executable, ROOT / "tools" / "chromium.py"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if found.returncode:
        return found.returncode
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / "timelines.png"
    path.write_bytes(marked(take(report, found.stdout.strip()), facts()))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
