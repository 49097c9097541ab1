"""The work of ``gilscope dump``: shows which thread waits for which in a running process."""

from __future__ import annotations

import json
import os
import pwd
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.cli.plain import say
from gilscope.runner import py_spy
from gilscope.target.hangs import words
from gilscope.target.hangs.explain import explain
from gilscope.target.hangs.picture import Picture
from gilscope.target.hangs.process import NoProcessError, Process, UnreadableError, field
from gilscope.target.hangs.waits import find_waits
from gilscope.target.hangs.watch import Watch
from gilscope.target.hangs.watcher import children_of

if TYPE_CHECKING:
    import argparse

    from gilscope.target.hangs.explain import Report

HANGS = 1
LOOK_SECONDS, ENOUGH_SECONDS = 0.25, 3.5
_PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


def execute(options: argparse.Namespace) -> int:
    """Print the report.

    Raises:
        GilscopeError: The process cannot be looked at.
    """
    check(options.pid)
    report = look(options.pid)
    missing = ""
    if options.py_spy:
        report, missing = with_py_spy(report)
    reports = [report, *children(options.pid)]
    if options.json:
        data = [{**one.data(), "missing": missing} for one in reports]
        say(json.dumps(data, indent=2))
    else:
        for one in reports:
            say(words.text(one))
        if missing:
            say(f"{missing}: gilscope read the stacks itself, without line numbers of native code")
        if not any(one.kind for one in reports):
            say("The process shows no sign of a hang.")
    return HANGS if any(one.kind for one in reports) else 0


def look(pid: int) -> Report:
    """Look at a process until it is known to hang, or for `ENOUGH_SECONDS`.

    Raises:
        NoProcessError: It cannot be looked at.
    """
    with Process(pid) as process:
        picture = Picture(process)  # says what is wrong with it
    watch, end = Watch(pid, time.monotonic), time.monotonic() + ENOUGH_SECONDS
    try:
        while time.monotonic() < end:
            report = watch.look()
            if report is not None:
                return report
            if not watch.suspicious and time.monotonic() > end - ENOUGH_SECONDS / 2:
                break
            time.sleep(LOOK_SECONDS)
        with Process(pid) as process:
            for last in (False, True):
                try:
                    picture = Picture(process)
                    find_waits(picture)
                    return explain(picture, blame=False)
                except UnreadableError:
                    if last:
                        raise NoProcessError(
                            f"process {pid} changes faster than gilscope can read it"
                        ) from None
    except OSError:
        pass
    raise NoProcessError(f"process {pid} has ended")


def children(pid: int) -> list[Report]:
    """Return the reports of forked children that hang."""
    found = []
    for child in children_of(pid):
        try:
            report = look(child)
        except NoProcessError:
            continue
        if report.kind:
            found.append(report)
    return found


def with_py_spy(report: Report) -> tuple[Report, str]:
    """Return a report with the stacks that py-spy reads, and what is missing if it cannot."""
    stacks, missing = py_spy.stacks(report.pid)
    threads = [replace(thread, mixed=stacks.get(thread.tid, [])) for thread in report.threads]
    return replace(report, threads=threads), missing


def check(pid: int) -> None:
    """Say in one line why a process cannot be looked at.

    Raises:
        NoProcessError: It cannot.
    """
    path = Path(f"/proc/{pid}")
    try:
        status = (path / "status").read_text(errors="replace")
        shown = (path / "mem").stat().st_uid  # root's where it is protected
    except OSError:
        raise NoProcessError(f"no process has the id {pid}") from None
    if field(status, "State")[:1] in "ZX":
        raise NoProcessError(
            f"process {pid} has ended, and its parent has not collected its status yet"
        )
    if not field(status, "VmSize"):
        raise NoProcessError(f"process {pid} is a kernel thread")
    spaces = field(status, "NSpid").split()
    if len(spaces) > 1:
        raise NoProcessError(
            f"process {pid} is in a PID namespace of its own (a container), where it is process "
            f"{spaces[-1]}: run gilscope dump there"
        )
    if not os.access(path / "mem", os.R_OK) or not _may_read(path):
        user = int(field(status, "Uid").split()[1])
        raise NoProcessError(_refused(pid, user, protected=shown != user))


def _may_read(path: Path) -> bool:
    try:
        with (path / "mem").open("rb"):
            return True
    except OSError:
        return False


def _refused(pid: int, user: int, *, protected: bool) -> str:
    if os.geteuid() not in (user, 0):
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = str(user)
        return f"process {pid} belongs to the user {name}: become that user or root"
    if protected:
        return (
            f"process {pid} is protected (PR_SET_DUMPABLE): it changed its user, or its program "
            "may not be read: become root"
        )
    try:
        scope = _PTRACE_SCOPE.read_text().strip()
    except OSError:
        scope = "0"
    if scope != "0":
        return (
            f"process {pid} may not be inspected: kernel.yama.ptrace_scope is {scope}: become "
            "root, or allow it with sysctl kernel.yama.ptrace_scope=0"
        )
    return (
        f"process {pid} may not be inspected: in a container that takes the capability "
        "SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
    )
