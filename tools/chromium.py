#!/usr/bin/env python3
"""Print the path of a Chromium for the browser tests; install Debian's where that is possible.

Looks in GILSCOPE_CHROMIUM, then on PATH, then, as root on a machine with apt-get, installs the
package `chromium`. Progress goes to stderr. Exit status 3 if there is none and none can be had.

    python3 tools/chromium.py            find or install
    python3 tools/chromium.py --find     look only
"""

import argparse
import os
import shutil
import subprocess
import sys
from typing import List, Optional

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "GILSCOPE_CHROMIUM"
EXIT_NONE = 3
SECONDS_UPDATE, SECONDS_INSTALL = 300, 900


def find() -> Optional[str]:
    """Path of a Chromium that is already here.

    Raises:
        SystemExit: the environment names one that cannot be run.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = shutil.which(named)
        if path is None:
            fail(f"{VARIABLE} is {named}, which is no program: correct it or unset it")
        return path
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


def install() -> None:
    """Install Debian's package.

    Raises:
        SystemExit: not root, no apt-get, or apt-get failed.
    """
    hint = f"install Chromium and put it on PATH, or name it in {VARIABLE}"
    apt = shutil.which("apt-get")
    if apt is None:
        fail(f"no Chromium, and no apt-get to install it: {hint}")
    if os.geteuid() != 0:
        fail(f"no Chromium, and only root can install it (apt-get install chromium): {hint}")
    command = [apt, "install", "-y", "--no-install-recommends", "chromium"]
    # A fresh container has no package lists, and old lists name packages that are gone.
    if run(command, SECONDS_INSTALL):
        return
    if not run([apt, "update"], SECONDS_UPDATE) or not run(command, SECONDS_INSTALL):
        fail(f"no Chromium: apt-get could not install it (its messages are above): {hint}")


def run(command: List[str], seconds: float) -> bool:
    """Run a command with its output on stderr; whether it succeeded in time."""
    print("+", " ".join(command), file=sys.stderr, flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return False
    return done.returncode == 0


def fail(message: str) -> None:
    """Say why there is no Chromium, in one line, and exit."""
    print(message, file=sys.stderr)
    raise SystemExit(EXIT_NONE)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--find", action="store_true", help="look only, install nothing")
    look_only = parser.parse_args().find
    path = find()
    if path is None and not look_only:
        install()
        path = find()
    if path is None:
        fail(f"no Chromium: install it, or name it in {VARIABLE}")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
