#!/usr/bin/env python3
"""Takes the pictures of the documentation from the report that `make demo` has written.

    .venv/bin/python tools/pictures.py [--report out/demo/report.html] [--only timelines | sampled]

Those of samples are of a program of its own, which it runs under both builds.

Each picture says within itself which words and colours the view had when it was taken; a test
compares them with those of today.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
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

# From the legend on, which says what the tracks are.
SAMPLED_CLIP = """() => {
  const section = document.querySelector("section.gilscope")
  section.scrollIntoView()
  section.gilscope.set("theme", "light")
  section.querySelector(".controls").style.display = "none"
  section.querySelector(".status").style.display = "none"
  const { top } = section.querySelector(".legend").getBoundingClientRect()
  const { left, width } = section.getBoundingClientRect()
  const stage = section.querySelector('[data-role="stage"]').getBoundingClientRect()
  return { x: left + scrollX, y: top + scrollY - 6, width, height: stage.bottom - top + 12 }
}"""
GRAPH_CLIP = """() => {
  const graph = document.querySelector("details.graph")
  graph.scrollIntoView()
  const { left, top, width, height } = graph.getBoundingClientRect()
  return { x: left + scrollX, y: top + scrollY, width, height }
}"""
SAMPLED = """
import json, re, threading

TEXT = json.dumps([{"name": f"n{i}", "values": list(range(20))} for i in range(300)])

def parse():
    for _ in range(60):
        json.loads(TEXT)

def search():
    for _ in range(60):
        re.findall(r"n[0-9]*5|1[0-9]", TEXT)

def add():
    for _ in range(60):
        sum(i * i for i in range(20_000))

threads = [threading.Thread(target=work, name=work.__name__) for work in (parse, search, add)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
RATE = 200  # samples a second


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


def take(report: Path, chromium: str, *clips: str) -> list[bytes]:
    """Return a picture of each part of a report that the clips, as scripts, return."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE)
        page.goto(report.resolve().as_uri())
        page.wait_for_function(READY, timeout=60_000)
        found = []
        for clip in clips:
            page.evaluate(clip)
            page.wait_for_timeout(1000)
            found.append(page.screenshot(clip=page.evaluate(clip), full_page=True))
        browser.close()
    return found


def sampled_report(folder: Path) -> Path:
    """Run the program with samples under both builds; return the report."""
    program, report = folder / "sampled.py", folder / "sampled.html"
    program.write_text(SAMPLED)
    command = [sys.executable, "-m", "gilscope", "compare", "--sample", str(RATE), "--repeat", "1"]
    command += ["--html", str(report), program.name]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return report


def timelines(report: Path, chromium: str) -> dict[str, bytes]:
    """Return the picture of the demo's timelines."""
    return {"timelines": take(report, chromium, CLIP)[0]}


def sampled(chromium: str) -> dict[str, bytes]:
    """Return those of tracks below the lanes, and of the flame graph by state."""
    with tempfile.TemporaryDirectory() as folder:
        report = sampled_report(Path(folder))
        tracks, graph = take(report, chromium, SAMPLED_CLIP, GRAPH_CLIP)
    return {"sampled-tracks": tracks, "sampled-graph": graph}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "demo" / "report.html")
    parser.add_argument("--only", choices=("timelines", "sampled"), default="")
    chosen = parser.parse_args()
    report = chosen.report
    if chosen.only != "sampled" and not report.is_file():
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
    chromium, taken = found.stdout.strip(), {}
    if chosen.only != "sampled":
        taken |= timelines(report, chromium)
    if chosen.only != "timelines":
        taken |= sampled(chromium)
    for name, png in taken.items():
        path = IMAGES / f"{name}.png"
        path.write_bytes(marked(png, facts()))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
