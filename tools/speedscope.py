#!/usr/bin/env python3
"""Print the folder of speedscope's release; bring it from npm where that is possible.

The tests load our exports with it. It is kept in gilscope's cache. Progress goes to stderr. Exit
status 3 if there is none and none can be had.

    python3 tools/speedscope.py            find or bring
    python3 tools/speedscope.py --find     look only
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
import interpreters

VERSION = "1.25.0"
EXIT_NONE = 3
SECONDS = 120


def folder() -> Path:
    """Where it is kept."""
    return Path(interpreters.cache_root()) / f"speedscope-{VERSION}"


def find() -> Optional[Path]:
    """The release, if it is here."""
    release = folder() / "package" / "dist" / "release"
    return release if (release / "index.html").is_file() else None


def bring() -> None:
    """Take it from the registry that npm knows.

    Raises:
        SystemExit: there is no npm, or it failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        fail("no speedscope, and no npm to bring it (Debian: apt-get install npm)")
    folder().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder().parent) as draft:
        command = [npm, "pack", "--silent", f"speedscope@{VERSION}"]
        try:
            done = subprocess.run(
                command, cwd=draft, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            fail(f"no speedscope: npm pack did not bring it: {error}")
        packages = sorted(Path(draft).glob("*.tgz"))
        if done.returncode or not packages:
            fail(f"no speedscope: npm pack did not bring it: {done.stderr.strip()[-300:]}")
        with tarfile.open(packages[0]) as archive:
            archive.extractall(Path(draft) / "whole", filter="data")
        if not folder().exists():
            (Path(draft) / "whole").rename(folder())


def fail(message: str) -> None:
    """Say why there is none, in one line, and exit."""
    print(message, file=sys.stderr)
    raise SystemExit(EXIT_NONE)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--find", action="store_true", help="look only, bring nothing")
    look_only = parser.parse_args().find
    if find() is None and not look_only:
        bring()
    path = find()
    if path is None:
        fail("no speedscope: run tools/speedscope.py, which brings it by npm")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
