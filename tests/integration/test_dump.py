"""Processes that may not, or cannot, be looked at: by other users, in containers, protected."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command import gilscope as command
from gilscope.cli import dumping
from hang_programs import BUILDS, TARGETS, running

if TYPE_CHECKING:
    from collections.abc import Iterator

# Programs and packages may be where only root may go: they are mounted where all may.
ENTER = """
mount --bind "$1" "$4/gil" || exit 77
mount --bind "$2" "$4/ft" || exit 77
mount --bind "$3" "$4/packages" || exit 77
folder=$4; shift 4; cd "$folder"
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""
HUNG = """
import subprocess, sys, time
target = subprocess.Popen([sys.argv[1], *sys.argv[2:]], stdin=subprocess.DEVNULL)
time.sleep(1.5)
done = subprocess.run([sys.executable, "-m", "gilscope", "dump", str(target.pid)])
target.kill()
sys.exit(done.returncode)
"""
PROTECTED = """
import ctypes, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
print(flush=True)
time.sleep(60)
"""

NAMED = """
import threading, time
import stock

class Store:
    def __init__(self):
        self.lock = threading.Lock()

    def wait(self):
        mine = self.lock
        with mine:
            pass

def wait(one):
    with one:
        pass

store, script, local = Store(), threading.Lock(), threading.Lock()
held = [store.lock, script, stock.SHELF, local]
del local
for lock in held:
    lock.acquire()
del lock
threading.Thread(target=store.wait, name="attribute", daemon=True).start()
threading.Thread(target=wait, args=(script,), name="script", daemon=True).start()
threading.Thread(target=stock.wait, args=(stock.SHELF,), name="module", daemon=True).start()
threading.Thread(target=wait, args=held[3:], name="local", daemon=True).start()
print(flush=True)
time.sleep(60)
"""
STOCK = """
import threading
SHELF = threading.Lock()
def wait(one):
    with one:
        pass
"""

pytestmark = pytest.mark.skipif(
    "GILSCOPE_FT_PYTHON" not in os.environ, reason="no interpreters: run `make test`"
)
as_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
    reason="takes root to be another user",
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that all users may enter, with the programs."""
    with tempfile.TemporaryDirectory(prefix="gilscope-dump-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for mounted in ("gil", "ft", "packages"):
            (folder / mounted).mkdir()
        for program in TARGETS.glob("*.py"):
            shutil.copy(program, folder)
        yield folder


def as_nobody(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with some arguments as a user that owns nothing."""
    pythons = [Path(os.environ[variable]).resolve() for variable in BUILDS.values()]
    own = folder / "gil" / "bin" / pythons[0].name
    mounts = [*(str(python.parents[1]) for python in pythons), sysconfig.get_path("platlib")]
    done = subprocess.run(
        [
            shutil.which("unshare") or "",
            "--mount",
            "sh",
            "-c",
            ENTER,
            "sh",
            *mounts,
            folder,
            own,
            *words,
        ],
        env={"PYTHONPATH": str(folder / "packages"), "PATH": os.environ["PATH"], "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip("mounts are not allowed here")
    return done


@as_root
@pytest.mark.parametrize("build", BUILDS)
def test_a_user_dumps_a_process_of_its_own(build: str, open_folder: Path) -> None:
    """Without any rights."""
    python = Path(os.environ[BUILDS[build]]).resolve().name
    target = [
        str(open_folder / build / "bin" / python),
        "-S",
        str(open_folder / "hung.py"),
        "event",
    ]
    done = as_nobody(open_folder, "-c", HUNG, *target)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("deadlock: MainThread (hung.py:")
    assert "setter (hung.py:" in done.stdout


@as_root
def test_a_process_of_another_user_is_refused(open_folder: Path, tmp_path: Path) -> None:
    """In one line that names the user."""
    with running("gil", [str(TARGETS / "hung.py"), "event"], tmp_path, recorded=False) as (one, _):
        time.sleep(0.5)
        done = as_nobody(open_folder, "-m", "gilscope", "dump", str(one.pid))
    assert done.stderr == (
        f"gilscope: error: process {one.pid} belongs to the user root: become that user or root\n"
    )


@as_root
def test_a_protected_process_is_refused(open_folder: Path) -> None:
    """One of the same user that does not let itself be looked at."""
    code = HUNG.replace("time.sleep(1.5)", "target.stdout.readline()").replace(
        "stdin=subprocess.DEVNULL", "stdout=subprocess.PIPE"
    )
    python = str(open_folder / "gil" / "bin" / Path(os.environ["GILSCOPE_PYTHON"]).resolve().name)
    done = as_nobody(open_folder, "-c", code, python, "-c", PROTECTED)
    assert "is protected (PR_SET_DUMPABLE)" in done.stderr, done
    assert done.stderr.count("\n") == 1


@as_root
def test_a_process_in_a_pid_namespace_is_refused(tmp_path: Path) -> None:
    """In one line that names the process there."""
    python, hung = os.environ["GILSCOPE_PYTHON"], TARGETS / "hung.py"
    words = ["unshare", "--pid", "--fork", "--kill-child", python, hung, "event"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as outer:
        try:
            time.sleep(1)
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
            if outer.poll() is not None or not children.exists():
                pytest.skip("no PID namespaces here")
            pid = children.read_text().split()[0]
            said = command("dump", pid, cwd=tmp_path).error_line
        finally:
            outer.kill()
    assert said == (
        f"process {pid} is in a PID namespace of its own (a container), where it is process 1: run "
        "gilscope dump there"
    )


@pytest.mark.parametrize(
    ("scope", "said"),
    [("1", "kernel.yama.ptrace_scope is 1"), ("0", "SYS_PTRACE"), ("", "SYS_PTRACE")],
)
def test_what_has_to_be_allowed_is_said(
    scope: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a process of the same user, by what the system has set."""
    path = tmp_path / "ptrace_scope"
    if scope:
        path.write_text(f"{scope}\n")
    monkeypatch.setattr(dumping, "_PTRACE_SCOPE", path)
    assert said in dumping._refused(1, os.geteuid(), protected=False)


def test_a_thread_of_the_kernel_is_refused(tmp_path: Path) -> None:
    """It has no memory."""
    if not Path("/proc/2/status").exists() or "VmSize" in Path("/proc/2/status").read_text():
        pytest.skip("no threads of the kernel are seen here")
    said = command("dump", 2, cwd=tmp_path).error_line
    assert said == "process 2 is a kernel thread"


@pytest.mark.parametrize("build", BUILDS)
def test_locks_have_the_names_that_traces_give_them(build: str, tmp_path: Path) -> None:
    """A global variable, an attribute with its type, and only then a local variable."""
    (tmp_path / "stock.py").write_text(STOCK)
    (tmp_path / "program.py").write_text(NAMED)
    with subprocess.Popen(
        [os.environ[BUILDS[build]], "program.py"], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.5)  # until they wait
            threads = dumping.look(process.pid).threads
        finally:
            process.kill()
    found = {one.name: one.doing.partition(" waits for ")[2] for one in threads}
    assert {name: found[name] for name in ("attribute", "script", "module", "local")} == {
        "attribute": "threading.Lock `Store.lock`",
        "script": "threading.Lock `script`",
        "module": "threading.Lock `stock.SHELF`",
        "local": "threading.Lock `one`",
    }
