"""Run the tests of the probe on Debian unstable's own interpreters, in a chroot.

    python3 tools/debian.py [--python 3.14] [--free-threaded] [--fresh] [argument of pytest ...]
    python3 tools/debian.py --races|--lock-order [--python 3.14] [argument of that tool ...]

The programs under test run in the chroot, on the interpreters that Debian ships; pytest and the
reader run outside, in the Python that runs this file, so numpy and the like need not exist for a
version as new as those. Needs root and, the first time, a Debian mirror (the machine's own, or
GILSCOPE_DEBIAN_MIRROR). The chroot stays in ~/.cache/gilscope/sid; nothing stays mounted, since all
mounts are made in a mount namespace that ends with this program. Standard library only, any Python
from 3.9 on.

Debian ships no free-threaded build. With --free-threaded one of each version is built in the chroot
from Debian's source package, once, and the tests run with both builds.

With --races or --lock-order, `gilscope races` or `gilscope lock-order` is held against its programs
instead (tools/races.py, tools/lock_order.py).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import environment
import interpreters
from environment import EXAMPLES, SOURCES
from interpreters import InterpreterError, Progress, Runner

ROOT = Path(__file__).resolve().parent.parent
SERIES = ("3.14", "3.15")
TESTS = "tests/integration/test_probe_*.py"
BUILD_TOOLS = ("cmake", "ninja", "pybind11", "scikit-build-core")
TOOLCHAIN = ("gcc", "g++", "make")
BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}  # of tools/known_programs.py
KNOWN = {"--races": "races.py", "--lock-order": "lock_order.py"}
LIBRARIES = ("libffi-dev", "libssl-dev", "zlib1g-dev")  # what a build of CPython needs besides
WORK = "/opt/gilscope"  # in the chroot
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
CHROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE = "--in-namespace"
EXIT_REFUSED = 2


def refuse_early() -> str | None:
    """Return why this cannot work here, or None."""
    if sys.platform != "linux":
        return "a Debian chroot needs Linux"
    if os.geteuid() != 0:
        return "only root can make and enter a chroot: run `make test-debian` as root"
    for name, package in (("unshare", "util-linux"), ("chroot", "coreutils")):
        if shutil.which(name) is None:
            return f"no {name} on PATH: install {package}"
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)  # noqa: S607
    if allowed.returncode != 0:
        return "root may not mount here (a container without CAP_SYS_ADMIN?)"
    return None


# ---------------------------------------------------------------- the chroot


@dataclass(frozen=True)
class Chroot:
    """A Debian unstable in a directory.

    Attributes:
        root: Where it is.
        runner: Runs the commands that change it.
    """

    root: Path
    runner: Runner

    def run(self, what: str, *command: str, timeout: float = 1800) -> None:
        """Run a command in it.

        Raises:
            InterpreterError: It failed, with the end of what it wrote.
        """
        env = {"PATH": CHROOT_PATH, "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}
        self.runner.run(what, ["chroot", str(self.root), *command], Path("/"), env, timeout)

    def answers(self, *command: str) -> str:
        """Return what a command in it prints; empty if it fails."""
        done = subprocess.run(
            ["chroot", str(self.root), *command],  # noqa: S607 (wherever PATH has it)
            env={"PATH": CHROOT_PATH, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def pythons(self) -> list[str]:
        """The series that are installed, for example ["3.14", "3.15"]."""
        return [one for one in SERIES if (self.root / f"usr/bin/python{one}").exists()]

    def mount(self, *shared: Path) -> None:
        """Mount what programs expect of a system, and these directories at their own paths."""
        mounts = [["-t", "proc", "proc", "proc"], ["--rbind", "/dev", "dev"]]
        mounts += [["--rbind", "/sys", "sys"]]
        mounts += [["--bind", str(path), str(path).lstrip("/")] for path in shared]
        for *options, place in mounts:
            target = self.root / place
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", *options, str(target)], check=True)  # noqa: S607

    def protect(self, path: Path) -> None:
        """Make a directory that is mounted here read-only, here only."""
        command = ["mount", "-o", "remount,bind,ro", str(self.root / str(path).lstrip("/"))]
        subprocess.run(command, check=True)


def debootstrap(runner: Runner) -> str:
    """Return debootstrap's path; install it with apt where it is missing.

    Raises:
        InterpreterError: It cannot be had.
    """
    found = shutil.which("debootstrap")
    if found is None:
        apt = shutil.which("apt-get")
        if apt is None:
            raise InterpreterError("no debootstrap, and no apt-get to install it")
        runner.run("install debootstrap: read the index", [apt, "update"], Path("/"), timeout=600)
        command = [apt, "install", "-y", "--no-install-recommends", "debootstrap"]
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        runner.run("install debootstrap", command, Path("/"), env, 600)
        found = shutil.which("debootstrap")
    if found is None:
        raise InterpreterError("apt-get installed debootstrap, but it is not on PATH")
    return found


def read_index(chroot: Chroot) -> None:
    """Read the package index in the chroot, also one that is past its date, which is then said.

    A mirror that has not been updated for a week serves an index that is signed and out of date.
    For an interpreter that only ever runs tests that is good enough; the signature is checked all
    the same.
    """
    try:
        chroot.run("read Debian sid's index", "apt-get", "update")
    except InterpreterError as error:
        if not re.search(r"Release file .* is expired|is not valid any", str(error)):
            raise
    else:
        return
    (chroot.root / "etc/apt/apt.conf.d/91expired").write_text(
        'Acquire::Check-Valid-Until "false";\n', encoding="utf-8"
    )
    chroot.runner.progress.say(
        "notice: the mirror's index of sid is past its date; it is used in this chroot only,"
        " its signature is checked as ever"
    )
    chroot.run("read Debian sid's index again", "apt-get", "update")


def make(draft: Path, runner: Runner) -> None:
    """Make a Debian unstable with its newest interpreters and a compiler.

    Raises:
        InterpreterError: A step failed.
    """
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    command = [debootstrap(runner), "--variant=minbase", "--include=ca-certificates"]
    if interpreters.KEYRING.is_file():
        command += ["--force-check-gpg", f"--keyring={interpreters.KEYRING}"]
    mirror = interpreters.mirror()
    runner.run("debootstrap sid", [*command, "sid", str(draft), mirror], Path("/"), timeout=1800)
    chroot = Chroot(draft, runner)
    chroot.mount()
    # No service is started; experimental is asked only for what unstable does not have.
    (draft / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    (draft / "usr/sbin/policy-rc.d").chmod(0o755)
    (draft / "etc/apt/sources.list").write_text(
        f"deb {mirror} sid main\ndeb {mirror} experimental main\n", encoding="utf-8"
    )
    (draft / "etc/apt/apt.conf.d/90proxy").write_text(interpreters.proxies() + "\n")
    if Path("/", CERTIFICATES).is_file():
        shutil.copyfile(Path("/", CERTIFICATES), draft / CERTIFICATES)
    read_index(chroot)
    packages = [
        f"python{one}{part}"
        for one in SERIES
        if chroot.answers("apt-cache", "show", f"python{one}-venv")
        for part in ("", "-dev", "-venv")
    ]
    if not packages:
        raise InterpreterError(f"Debian sid has none of Python {', '.join(SERIES)}")
    install = ("apt-get", "install", "-y", "--no-install-recommends", *TOOLCHAIN)
    chroot.run(f"install {' '.join(packages[::3])}, {' '.join(TOOLCHAIN)}", *install, *packages)
    chroot.run("remove the downloaded packages", "apt-get", "clean")


def prepared(base: Path, runner: Runner, *, fresh: bool) -> Chroot:
    """Return the chroot, made now if there is none that is whole.

    Raises:
        InterpreterError: It cannot be made.
    """
    root, draft = base / "root", base / "draft"
    if fresh:
        shutil.rmtree(root, ignore_errors=True)
    if not root.exists():
        # In a process of its own namespace: what is mounted in the draft must be gone when it gets
        # its name, which is its last step, so what has the name is whole.
        command = [sys.executable, __file__, "--make", str(draft)]
        runner.progress.say("make a Debian sid chroot (once; some minutes)")
        with subprocess.Popen(["unshare", "--mount", *command]) as process:  # noqa: S607
            try:
                status = process.wait()
            except BaseException:
                process.terminate()
                raise
        if status != 0:
            raise InterpreterError("the chroot could not be made (the output above says why)")
        draft.replace(root)
    return Chroot(root, runner)


# ---------------------------------------------------------------- free-threaded builds


def download_source(chroot: Chroot, series: str, place: Path) -> str:
    """Download the newest source package of a series into `place`; return its label.

    Raises:
        InterpreterError: The mirror does not have it.
    """
    # The chroot may be older than the machine's network.
    shutil.copyfile("/etc/resolv.conf", chroot.root / "etc/resolv.conf")
    sources = chroot.root / "etc/apt/sources.list.d/sources.list"
    sources.write_text(f"deb-src {interpreters.mirror()} sid main\n", encoding="utf-8")
    read_index(chroot)
    install = ("apt-get", "install", "-y", "--no-install-recommends", *TOOLCHAIN, *LIBRARIES)
    chroot.run(f"install {', '.join(LIBRARIES)}", *install)
    name = f"python{series}"
    index = chroot.answers("apt-cache", "showsrc", "--only-source", name)
    package = interpreters.newest_in(index, [series], "sid")
    if package is None:
        raise InterpreterError(f"Debian sid has no source package {name}")
    inside = "/" + str(place.relative_to(chroot.root))
    # root's apt could not hand the directory to its user _apt.
    command = ("apt-get", "-o", "APT::Sandbox::User=root", "source", "--download-only")
    text = f"cd {inside} && exec {shlex.join([*command, '--only-source', package.label])}"
    try:
        chroot.run(f"fetch {package.label}", "sh", "-ec", text, timeout=900)
    except InterpreterError as error:
        raise InterpreterError(
            f"the mirror gives no {package.label}: name one that does in"
            f" {interpreters.MIRROR_VARIABLE}, or leave --free-threaded away: {error}"
        ) from None
    return package.label


def build_free_threaded(chroot: Chroot, series: str, prefix: str) -> dict[str, str]:
    """Build and install a free-threaded interpreter in the chroot; return its marker.

    Raises:
        InterpreterError: A step failed.
    """
    target = chroot.root / prefix.lstrip("/")
    shutil.rmtree(target, ignore_errors=True)
    what = f"free-threaded {series}"
    inside = f"{WORK}/build-{series}t"
    with interpreters.work_directory(chroot.root / inside.lstrip("/")) as work:
        (work / "download").mkdir()
        (work / "build").mkdir()
        label = download_source(chroot, series, work / "download")
        interpreters.unpack(chroot.runner, label, work / "download", work)
        flags = ("--disable-gil", *interpreters.CONFIGURE_FLAGS)
        configure = shlex.join([f"{inside}/source/configure", f"--prefix={prefix}", *flags])
        chroot.run(f"{what}: configure", "sh", "-ec", f"cd {inside}/build && exec {configure}")
        make = ("make", "-C", f"{inside}/build")
        chroot.run(f"{what}: make", *make, f"-j{os.cpu_count() or 1}", timeout=2 * 3600)
        chroot.run(f"{what}: install", *make, "install")
    executable = f"{prefix}/bin/python{series}t"
    # make succeeds even if modules could not be built.
    chroot.run(f"{what}: check modules", executable, "-c", "import ctypes, ssl, zlib")
    version = chroot.answers(executable, "-c", "import platform; print(platform.python_version())")
    marker = {"version": version, "package": label, "flags": shlex.join(flags)}
    marker["executable"] = executable
    interpreters.write_marker(target, marker)
    return marker


def free_threaded(chroot: Chroot, series: str) -> dict[str, str]:
    """Return the marker of the chroot's free-threaded build of a series, built now if need be.

    Raises:
        InterpreterError: It cannot be built.
    """
    prefix = f"{WORK}/python{series}t"
    marker = interpreters.read_marker(chroot.root / prefix.lstrip("/"))
    if marker is not None:
        return marker
    try:
        return build_free_threaded(chroot, series, prefix)
    except InterpreterError as error:
        raise InterpreterError(f"no free-threaded Python {series} to test: {error}") from None


# ---------------------------------------------------------------- gilscope in it


def copy_sources(chroot: Chroot) -> None:
    """Copy what gilscope and the examples are built from: a build writes beside its sources."""
    target = chroot.root / WORK.lstrip("/") / "source"
    shutil.rmtree(target, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "*.so", "build")
    for name in (*SOURCES, *(f"examples/{name}" for name in EXAMPLES)):
        source = ROOT / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=skip)
        else:
            shutil.copyfile(source, target / name)


def download_tools(chroot: Chroot) -> None:
    """Bring the build tools as wheels, by this Python's pip from the registry it is set up for.

    The chroot then needs neither a network nor its settings.
    """
    wheels = chroot.root / WORK.lstrip("/") / "wheels"
    stamp = wheels / "complete"
    wanted = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
    command += ["--only-binary=:all:", "--dest", str(wheels), "--group", "build"]
    chroot.runner.run("download the build tools", command, ROOT, timeout=600)
    stamp.write_text(wanted, encoding="utf-8")


class Once:
    """What was done to an environment, kept in a file of it."""

    def __init__(self, file: Path) -> None:
        """Read what was done."""
        self.file = file
        self.done: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            self.done = json.loads(file.read_text(encoding="utf-8"))
        self.pending: dict[str, str] = {}

    def is_due(self, step: str, state: str) -> bool:
        """Tell whether a step was not yet done for this state."""
        self.pending = {step: state}
        return self.done.get(step) != state

    def record(self) -> None:
        """Write down that the step just asked for is done."""
        self.done.update(self.pending)
        self.file.write_text(json.dumps(self.done), encoding="utf-8")


def install(chroot: Chroot, series: str, base: str = "") -> str:
    """Build and install gilscope and the examples for one interpreter; return its path.

    What has not changed since the last time is kept.

    Args:
        chroot: Where.
        series: Its version.
        base: The free-threaded interpreter of that version; Debian's own if empty.
    """
    name = f"{series}t" if base else series
    place = f"{WORK}/venv-{name}"
    python = f"{place}/bin/python"
    # A build from source has no pip; the one of Debian's environment installs into any other.
    helper = (f"{WORK}/venv-{series}/bin/python", "-m", "pip", "--python", python)
    pip = (*helper, "--disable-pip-version-check", "install", "-q", "--no-index")
    once = Once(chroot.root / place.lstrip("/") / "gilscope-installed.json")
    if not once.done:
        options = ("--clear", "--without-pip") if base else ("--clear",)
        venv = (base or f"python{series}", "-m", "venv", *options, place)
        chroot.run(f"{name}: make an environment", *venv)
    if once.is_due("tools", environment.digest("pyproject.toml")):
        tools = ("--find-links", f"{WORK}/wheels", *BUILD_TOOLS)
        chroot.run(f"{name}: install the build tools", *pip, *tools)
        once.record()
    build = (*pip, "--no-deps", "--no-build-isolation", "--force-reinstall")
    projects = {"gilscope": SOURCES, **{f"examples/{n}": (f"examples/{n}",) for n in EXAMPLES}}
    for project, sources in projects.items():
        if once.is_due(project, environment.digest(*sources)):
            path = "." if project == "gilscope" else project
            # The tools are on PATH for scikit-build-core, which looks for them there.
            text = f"cd {WORK}/source && PATH={place}/bin:$PATH exec {shlex.join(build)} ./{path}"
            chroot.run(f"{name}: build {project}", "sh", "-ec", text)
            once.record()
    return python


# ---------------------------------------------------------------- the tests


def write_wrapper(path: Path, chroot: Chroot, program: str) -> Path:
    """Write a script that becomes a program in the chroot: same process, directory, environment."""
    command = ["chroot", str(chroot.root), "/usr/bin/env", "-C"]
    settings = [f"PATH={CHROOT_PATH}", "LC_ALL=C.UTF-8", program]
    path.write_text(
        f'#!/bin/sh\nexec {shlex.join(command)} "$PWD" {shlex.join(settings)} "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def outside(chroot: Chroot, pythons: dict[str, str], shared: Path) -> dict[str, str]:
    """Return the environment of a program outside whose programs run in the chroot.

    Args:
        chroot: Where.
        pythons: By the variable that names it, an interpreter in the chroot.
        shared: A directory that is mounted in the chroot, too.
    """
    commands = shared / "bin"
    commands.mkdir(exist_ok=True)
    for name in ("gcc", "g++", "cc", "c++"):
        write_wrapper(commands / name, chroot, f"/usr/bin/{name}")
    # Programs under test have an installed gilscope, so no PYTHONPATH.
    unwanted = ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    for variable, python in pythons.items():
        name = Path(python).parents[1].name
        env[variable] = str(write_wrapper(commands / name, chroot, python))
    env["PATH"] = f"{commands}:{env.get('PATH', '')}"
    env["TMPDIR"] = str(shared)
    return env


def run_known(
    tool: str, chroot: Chroot, pythons: dict[str, str], options: list[str], shared: Path
) -> int:
    """Hold a command against its programs, which run in the chroot; return the tool's status."""
    builds = [name for name, variable in BUILDS.items() if variable in pythons]
    command = [sys.executable, str(ROOT / "tools" / tool), *options]
    command += [word for build in builds for word in ("--build", build)]
    env = outside(chroot, pythons, shared)
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def run_tests(chroot: Chroot, pythons: dict[str, str], options: list[str], shared: Path) -> int:
    """Run pytest outside, its programs under test in the chroot; return its exit status."""
    env = outside(chroot, pythons, shared)
    tests = [] if any("tests/" in option for option in options) else sorted(ROOT.glob(TESTS))
    command = [sys.executable, "-m", "pytest", f"--basetemp={shared / 'pytest'}", "-q"]
    command += ["-p", "no:cacheprovider", "-o", "pythonpath=tests profiler"]
    command += [*map(str, tests), *options]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def test_all(chosen: argparse.Namespace, chroot: Chroot) -> dict[str, int]:
    """Test each interpreter; the exit status of pytest by the interpreter's full version."""
    present = chroot.pythons()
    wanted = [one for one in chosen.python or present if one in present]
    if not wanted:
        raise InterpreterError(f"Debian sid has {', '.join(present)} only")
    copy_sources(chroot)
    download_tools(chroot)
    results = {}
    with tempfile.TemporaryDirectory(prefix="gilscope-debian-") as directory:
        shared = Path(directory).resolve()
        chroot.mount(ROOT, shared)
        chroot.protect(ROOT)
        for series in wanted:
            pythons = {"GILSCOPE_PYTHON": install(chroot, series)}
            package = chroot.answers("dpkg-query", "-W", "-f", "${Version}", f"python{series}")
            name = f"{series} ({package})"
            if chosen.free_threaded:
                marker = free_threaded(chroot, series)
                pythons["GILSCOPE_FT_PYTHON"] = install(chroot, series, marker["executable"])
                name += f" and free-threaded {marker['version']} ({marker['package']})"
            print(f"debian: Python {name}", flush=True)
            work = partial(run_known, chosen.known) if chosen.known else run_tests
            results[name] = work(chroot, pythons, chosen.rest, shared)
    return results


# ---------------------------------------------------------------- command line


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", choices=SERIES, help="this version only")
    parser.add_argument(
        "--free-threaded", action="store_true", help="test free-threaded builds, too; made once"
    )
    for option, tool in KNOWN.items():
        parser.add_argument(
            option,
            dest="known",
            action="store_const",
            const=tool,
            help=f"hold gilscope {option[2:]} against its programs instead",
        )
    parser.add_argument("--fresh", action="store_true", help="make the chroot anew")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    chosen, chosen.rest = parser.parse_known_args()
    return chosen


def run_inside(chosen: argparse.Namespace) -> int:
    """Do the work, in a mount namespace of our own."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interpreters.interrupt)
    base = interpreters.cache_root() / "sid"
    progress = Progress()
    if chosen.make is not None:
        # The lock is held by the run that started this one.
        make(chosen.make, Runner(progress, base / "make.log", 2))
        return 0
    with interpreters.locked(base, progress) as lock:
        runner = Runner(progress, base / "run.log", lock)
        runner.log.unlink(missing_ok=True)
        results = test_all(chosen, prepared(base, runner, fresh=chosen.fresh))
    for version, status in results.items():
        print(f"debian: {version}: {'passed' if status == 0 else 'FAILED'}")
    return 1 if any(results.values()) else 0


def main() -> int:
    """Run from the command line; every foreseen failure is a message and not a traceback."""
    chosen = arguments()
    try:
        if chosen.in_namespace or chosen.make is not None:
            return run_inside(chosen)
        reason = refuse_early()
        if reason is not None:
            print(f"debian: {reason}", file=sys.stderr)
            return EXIT_REFUSED
        # Becomes the program that works inside, so that who ends this one ends that one.
        command = ["unshare", "--mount", sys.executable, __file__, INSIDE, *sys.argv[1:]]
        os.execvp(command[0], command)  # noqa: S606
    except (InterpreterError, OSError, subprocess.SubprocessError) as error:
        print(f"debian: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return interpreters.EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
