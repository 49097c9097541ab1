"""Records tests, and says in the summary what was found in them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.errors import GilscopeError
from gilscope.severity import Severity
from gilscope.target.recording import session
from gilscope.testing.hangs import Hangs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

KEY = "gilscope"
MOST_NAME = 100
MOST_EVIDENCE = 3


class Recorder:
    """The plug-in that does it, in each process that runs tests, and in the one that reports.

    Args:
        config: Of pytest.
        mode: ``run``, ``test`` or, with races only, "".
    """

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self.config = config
        self.mode = mode
        self.races = config.getoption("--gilscope-races")
        self.limit = config.getoption("--gilscope-fail-on")
        self.folder = Path(config.rootpath, config.getoption("--gilscope-dir"))
        self.worker = getattr(config, "workerinput", {}).get("workerid", "")
        self.reports_only = bool(getattr(config.option, "dist", "no") != "no" and not self.worker)
        self.hangs = Hangs()
        self.run_trace: Path | None = None
        self.found: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.bad_runs = False
        self.interrupted = False  # by Ctrl-C
        self.unchecked = False  # something was not recorded, or its findings cannot be told
        self._of_item: dict[str, dict[str, Any]] = {}

    def _options(self) -> dict[str, Any]:
        wanted = self.config.getoption("--gilscope-on-hang")
        return {"on_hang": {"fail": self.hangs.action}.get(wanted, wanted)}

    def pytest_sessionstart(self) -> None:
        """Begin to record the run."""
        if self.reports_only:
            return
        if self.config.getoption("--gilscope-on-hang") == "fail":
            self.hangs.listen()
        if self.mode == "run":
            name = f"run-{self.worker}.gilscope" if self.worker else "run.gilscope"
            self.run_trace = self._started(self.folder / name)

    def _started(self, path: Path) -> Path | None:
        """Begin to record; None, and a note, where that cannot be."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            session.start(path, **self._options())
        except (GilscopeError, OSError) as error:
            self._note(f"not recorded: {error}")
            self.unchecked = True
            return None
        return path

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Record a test, or name it in the trace of the run."""
        result: dict[str, Any] = {"findings": [], "trace": ""}
        self._of_item[item.nodeid] = result
        self.hangs.begin_test()
        failed = True
        try:
            with self._watched(result), self._recorded(item, result), gilscope.span(item.nodeid):
                yield
                self.hangs.end_test()
            failed = False
        finally:
            self.hangs.end_test()
            self._finish(item, result, failed=failed)
        bad = [one for one in result["findings"] if self._is_bad(one)]
        if bad:
            titles = "\n".join(f"{one['severity']}: {one['title']}" for one in bad)
            pytest.fail(f"gilscope: {titles}", pytrace=False)

    @contextmanager
    def _watched(self, result: dict[str, Any]) -> Iterator[None]:
        if not self.races:
            yield
            return
        with gilscope.races() as found:
            yield
        result["findings"] += [
            {
                "name": race.kind,
                "id": race.id,
                "severity": str(race.severity),
                "title": f"{race.grade} race: {race.title}",
                "evidence": [f"{one.thread} {one.what} at {one.place}" for one in race.accesses],
                "advice": race.advice,
            }
            for race in found
        ]

    @contextmanager
    def _recorded(self, item: pytest.Item, result: dict[str, Any]) -> Iterator[None]:
        path = self._started(self.folder / _file_name(item.nodeid)) if self.mode == "test" else None
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            if path is not None:
                session.stop()
                result["trace"] = str(path)
                before = self.interrupted
                result["findings"] += self._findings(path)
                if self.interrupted and not before:
                    raise KeyboardInterrupt

    def _findings(self, path: Path) -> list[dict[str, Any]]:
        """Return what is found in a trace; nothing, and a note, if that cannot be told.

        Nothing where races are watched for: threads wait for the watch then, at each access. And
        nothing after Ctrl-C: that takes time, and someone waits.
        """
        if self.races:
            self._note("waits are not judged: --gilscope-races makes threads wait for its watch")
            return []
        try:
            if not self.interrupted:
                return _found_in(path)
        except KeyboardInterrupt:
            self.interrupted = True
        except GilscopeError as error:
            self._note(f"findings are not told: {error}")
            self.unchecked = True
            return []
        self._note(f"interrupted, findings are not told: gilscope findings {path}")
        return []

    def _finish(self, item: pytest.Item, result: dict[str, Any], *, failed: bool) -> None:
        """Keep the trace of a test that failed or has findings, and tell JUnit."""
        if result["trace"] and not failed and not result["findings"]:
            Path(result["trace"]).unlink(missing_ok=True)
            result["trace"] = ""
        for one in result["findings"]:
            item.user_properties.append((f"gilscope.{one['name']}", one["title"]))
        if result["trace"]:
            item.user_properties.append(("gilscope.trace", result["trace"]))

    def _is_bad(self, one: dict[str, Any]) -> bool:
        if self.limit is None:
            return False
        return Severity(one["severity"]).rank <= Severity(self.limit).rank

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give a report what was found, which a worker's report takes to where it is shown."""
        report = yield
        if call.when == "call":
            setattr(report, KEY, self._of_item.pop(item.nodeid, None))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what was found for the summary."""
        result = getattr(report, KEY, None)
        if report.when == "call" and not self.worker and result and any(result.values()):
            self.found.append({"test": report.nodeid, **result})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the recording of the run."""
        if self.run_trace is not None and not self.reports_only:
            self._finish_run()
        if self.interrupted:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        self._judge(session)
        if self.reports_only:
            return
        self.hangs.ignore()
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[KEY] = {"found": self.found, "notes": self.notes, "unchecked": self.unchecked}
        self.hangs.end_with(int(session.exitstatus))

    def _judge(self, session: pytest.Session) -> None:
        """Fail the run that has findings, or of which that cannot be said; say why at the end."""
        if self.limit is None or self.worker:
            return
        if self.unchecked:
            self._note(f"failed: --gilscope-fail-on {self.limit} could not be checked (see above)")
        elif self.bad_runs:
            self._note(f"failed: the run has findings of --gilscope-fail-on {self.limit} or above")
        if (self.unchecked or self.bad_runs) and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that someone waits for the end: Ctrl-C, not a run that ends itself."""
        itself = (pytest.Session.Interrupted, pytest.exit.Exception)
        self.interrupted |= not excinfo.errisinstance(itself)
        if self.interrupted and self.reports_only:
            self._note(f"interrupted, findings are not told: gilscope findings {self.folder}")

    def _finish_run(self) -> None:
        path = self.run_trace
        assert path is not None  # noqa: S101 - asked by the caller
        session.stop()
        findings = self._findings(path)
        if self.interrupted:
            return
        if not self.unchecked:
            self.found.append({"test": "", "findings": findings, "trace": str(path)})
        else:
            self._note(f"trace: {path}")
        self.bad_runs |= any(map(self._is_bad, findings))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker of pytest-xdist found in its run."""
        output = getattr(node, "workeroutput", {}).get(KEY)
        if output:
            self.found += output["found"]
            for note in output["notes"]:
                self._note(note)
            self.unchecked |= output["unchecked"]
            self.bad_runs |= any(
                self._is_bad(one) for run in output["found"] for one in run["findings"]
            )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was found, test by test."""
        if not self.found and not self.notes:
            return
        terminalreporter.section("gilscope")
        for note in self.notes:
            terminalreporter.line(note)
        for one in self.found:
            for line in _summary(one):
                terminalreporter.line(line)


def _found_in(path: Path) -> list[dict[str, Any]]:
    with gilscope.reader_side():
        from gilscope.analysis.findings import find  # noqa: PLC0415 - loaded on demand
    trace = gilscope.open(path)
    return [one.as_dict(trace) for one in find(trace)]


def _summary(one: dict[str, Any]) -> Iterator[str]:
    what = one["test"] or "the whole run"
    yield f"{what}: {len(one['findings']) or 'no'} finding{'s' * (len(one['findings']) != 1)}"
    for finding in one["findings"]:
        suspected = ", suspected" if finding.get("suspected") else ""
        yield f"  {finding['severity']}{suspected}: {finding['title']}"
        yield from (f"      {line}" for line in finding["evidence"][:MOST_EVIDENCE])
        yield f"      do: {finding['advice']}"
    if one["trace"]:
        yield f"  trace: {one['trace']}"


def _file_name(nodeid: str) -> str:
    """Return a name for the trace of a test, in which files of all systems' names are safe."""
    name = re.sub(r"[^\w.-]+", "-", nodeid).strip("-.")
    return f"{name[-MOST_NAME:]}.gilscope"
