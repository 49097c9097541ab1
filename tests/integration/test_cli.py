"""The commands on real interpreters with the real probe."""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

import gilscope as package
from command import TIMEOUT_S, gilscope
from gilscope.export.scene import scenes

if TYPE_CHECKING:
    from pathlib import Path

LOCK_AND_GIL = """
import threading
lock = threading.Lock()
def work():
    for _ in range(200_000):
        pass
    with lock:
        sum(range(300_000))
threads = [threading.Thread(target=work, name=f"worker-{i}") for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A directory with all that one comparison writes, and its summary."""
    place = tmp_path_factory.mktemp("compared")
    (place / "threads.py").write_text(LOCK_AND_GIL, encoding="utf-8")
    files = ["--json", "s.json", "--html", "r.html", "-o", "traces"]
    done = gilscope("compare", "--repeat", 2, *files, "threads.py", cwd=place)
    assert done.status == 0, done.err
    assert " without the GIL" in done.out
    return place, json.loads((place / "s.json").read_text(encoding="utf-8"))


def script(place: Path, text: str) -> Path:
    """Write a program."""
    path = place / "program.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_run_is_like_python(tmp_path: Path) -> None:
    """The program sees the same argv, path, file and main module as under python."""
    program = script(
        tmp_path,
        """
        import pickle, sys
        class Local: pass
        print(sys.argv, sys.path[0], __file__, __name__, __spec__, type(pickle.loads(
            pickle.dumps(Local()))) is Local)
        """,
    )
    words = [program, "-o", "x", "--", "-m"]
    python = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    done = gilscope("run", *words, cwd=tmp_path)
    assert (done.status, done.out) == (0, python.stdout)


def test_run_names_trace_events_and_drops(tmp_path: Path) -> None:
    """The last line on standard error says where the trace is and how much it holds."""
    script(tmp_path, "print('x')")
    done = gilscope("run", "program.py", cwd=tmp_path)
    trace = tmp_path / "program.gilscope"
    assert re.fullmatch(
        rf"gilscope: {re.escape(str(trace))}: \d+ events, 0 dropped", done.err.strip()
    )
    assert not package.open(trace).ended_early


def test_run_records_threads_that_outlive_the_main_module(tmp_path: Path) -> None:
    """Threads that are no daemons are waited for before the recording ends."""
    script(
        tmp_path,
        """
        import atexit, threading, time
        atexit.register(print, "at exit")
        def late():
            time.sleep(0.2)
            print(time.monotonic_ns())
        threading.Thread(target=late, name="latecomer").start()
        """,
    )
    done = gilscope("run", "program.py", cwd=tmp_path)
    end_ns, *rest = done.out.split("\n")
    assert rest == ["at exit", ""]
    trace = package.open(tmp_path / "program.gilscope")
    [late] = [thread for thread in trace.threads if thread.name == "latecomer"]
    assert trace.start_monotonic_ns + late.end_ns >= int(end_ns)


def test_run_ends_pools_that_were_not_shut_down(tmp_path: Path) -> None:
    """A thread pool that the program forgot does not keep it from ending."""
    script(
        tmp_path,
        """
        from concurrent.futures import ThreadPoolExecutor
        print(ThreadPoolExecutor(2).submit(pow, 2, 3).result())
        """,
    )
    assert gilscope("run", "program.py", cwd=tmp_path, timeout=30).out == "8\n"


def test_run_leaves_forked_children_alone(tmp_path: Path) -> None:
    """A child that runs to the program's end does not end the parent's recording."""
    script(
        tmp_path,
        """
        import os
        child = os.fork()
        if child:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        """,
    )
    done = gilscope("run", "program.py", cwd=tmp_path)
    assert (done.status, done.out) == (0, "0\n")
    assert done.err.count("events") == 1
    assert not package.open(tmp_path / "program.gilscope").ended_early


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_killed_process_of_a_pool_leaves_its_trace(method: str, tmp_path: Path) -> None:
    """What it had recorded is there, ends early, and is merged with the others."""
    script(
        tmp_path,
        f"""
        import multiprocessing, os, signal, threading, time
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool

        def die():
            thread = threading.Thread(target=time.sleep, args=(0.1,), name="last")
            thread.start()
            thread.join()
            os.kill(os.getpid(), signal.SIGKILL)

        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                print(pool.submit(os.getpid).result())
                try:
                    pool.submit(die).result()
                except BrokenProcessPool:
                    pass
        """,
    )
    done = gilscope("run", "--children", "program.py", cwd=tmp_path)
    pid = done.out.strip()
    trace = package.open(tmp_path / f"program.{pid}.gilscope")
    assert trace.ended_early
    assert "last" in {thread.name for thread in trace.threads}
    merged = gilscope("merge", "--family", "program.gilscope", "-o", "m.gilscope", cwd=tmp_path)
    assert merged.err == f"problem: program.{pid}.gilscope: ended early\n"
    names = {thread.name for thread in package.open(tmp_path / "m.gilscope").threads}
    assert f"last ({pid})" in names


def test_run_module_and_code(tmp_path: Path) -> None:
    """-m and -c take the rest of the line for the program."""
    (tmp_path / "tool.py").write_text("import sys; print(__name__, sys.argv[1:])")
    module = gilscope("run", "-o", "m.gilscope", "-m", "tool", "-c", "x", cwd=tmp_path)
    assert module.out == "__main__ ['-c', 'x']\n"
    code = gilscope("run", "-c", "import sys; print(sys.argv)", "-o", cwd=tmp_path)
    assert code.out == "['-c', '-o']\n"
    assert (tmp_path / "m.gilscope").is_file()
    assert (tmp_path / "code.gilscope").is_file()


def test_run_needs_the_standard_library_only(tmp_path: Path) -> None:
    """No package of the reader side is loaded into the program's process."""
    code = "import sys; print(sorted({'numpy', 'rich', 'bokeh', 'zstandard'} & set(sys.modules)))"
    assert gilscope("run", "-c", code, cwd=tmp_path).out == "[]\n"


def test_compare_writes_the_documented_summary(compared: tuple[Path, dict[str, Any]]) -> None:
    """The JSON file has the names that docs/summary.md promises, for both builds."""
    _, summary = compared
    assert [run["build"] for run in summary["runs"]] == ["gil", "ft"]
    for run in summary["runs"]:
        assert run["free_threaded"] == (run["build"] == "ft")
        assert run["gil_enabled_before"] == run["gil_enabled_after"] == (run["build"] == "gil")
        assert len(run["wall_s"]) == len(run["probed_wall_s"]) == 2
        assert {thread["name"] for thread in run["threads"]} >= {f"worker-{i}" for i in range(4)}
        assert run["dropped_events"] == 0
        assert not run["ended_early"]
    walls = [sorted(run["wall_s"]) for run in summary["runs"]]
    assert summary["speedup"] == pytest.approx(sum(walls[0]) / sum(walls[1]))


def test_compare_shows_waiting_under_the_gil_only(
    compared: tuple[Path, dict[str, Any]],
) -> None:
    """Threads that compute wait for the GIL in the GIL build and never in the other."""
    gil, ft = compared[1]["runs"]
    assert gil["gil"]["wait_s"] > 0
    assert gil["gil"]["held_at_start"] + gil["gil"]["acquires"] == (
        gil["gil"]["releases"] + gil["gil"]["held_at_end"]
    )
    assert ft["gil"]["wait_s"] == 0


def test_compare_keeps_one_trace_a_build(compared: tuple[Path, dict[str, Any]]) -> None:
    """-o keeps the traces that the summary names, and nothing else."""
    place, summary = compared
    names = [f"threads-{build}.gilscope" for build in ("ft", "gil")]
    assert sorted(path.name for path in (place / "traces").iterdir()) == names
    for run in summary["runs"]:
        trace = package.open(place / run["trace"])
        assert (trace.build, trace.dropped_events) == (run["build"], 0)


def test_compare_writes_a_report(compared: tuple[Path, dict[str, Any]]) -> None:
    """--html writes one page that needs no network."""
    page = (compared[0] / "r.html").read_text(encoding="utf-8")
    assert "threads.py" in page
    assert not re.search(r"""<(script|link)[^>]+(src|href)=["']?http""", page)


def test_compare_leaves_native_locks_out_on_request(tmp_path: Path) -> None:
    """As ``gilscope run`` does."""
    words = ["--builds", "gil", "--repeat", 1, "--no-native-locks", "-o", ".", "-c", "pass"]
    assert gilscope("compare", *words, cwd=tmp_path).status == 0
    assert "native_lock" in package.open(tmp_path / "code-gil.gilscope").not_measured


def test_compare_shows_equal_output_once(tmp_path: Path) -> None:
    """The program's output appears once if the builds agree, and by build if not."""
    program = "import sys; print('same'); print(sys.abiflags, file=sys.stderr)"
    done = gilscope("compare", "--repeat", 1, "-c", program, cwd=tmp_path)
    assert done.out.count("same\n") == 1
    assert "gilscope: free-threaded build, what the program printed:\nt\n" in done.err


@pytest.mark.parametrize("first_line", ["", "import warnings; warnings.simplefilter('ignore')"])
def test_compare_names_the_module_that_turns_the_gil_on(tmp_path: Path, first_line: str) -> None:
    """An extension without Py_mod_gil makes the free-threaded run invalid, and is named."""
    (tmp_path / "oldstyle.c").write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "oldstyle", 0, 0, 0};\n'
        "PyMODINIT_FUNC PyInit_oldstyle(void) { return PyModuleDef_Init(&def); }\n"
    )
    program = f"""
        {first_line}
        import _bisect, pathlib, subprocess, sysconfig
        here = pathlib.Path(__file__).parent
        library = here / ("oldstyle" + sysconfig.get_config_var("EXT_SUFFIX"))
        if not library.exists():
            subprocess.run(["cc", "-shared", "-fPIC", "-I", sysconfig.get_path("include"),
                            "-o", library, here / "oldstyle.c"], check=True)
        import oldstyle, _heapq
        """
    script(tmp_path, program)
    done = gilscope("compare", "--repeat", 1, "--json", "s.json", "program.py", cwd=tmp_path)
    summary = json.loads((tmp_path / "s.json").read_text())
    ft = summary["runs"][1]
    assert (ft["gil_enabled_before"], ft["gil_enabled_after"]) == (False, True)
    assert ft["gil_enabled_by"] == "oldstyle"
    assert "the GIL was turned on by the import of oldstyle" in done.out


def test_python_gil_does_not_reach_the_arms(tmp_path: Path) -> None:
    """PYTHON_GIL of the caller neither turns the GIL on nor stops the stock build."""
    for setting in ("0", "1"):
        env = {**os.environ, "PYTHON_GIL": setting}
        command = [
            *("compare", "--repeat", "1", "--json", "s.json"),
            *("-c", "import os; assert 'PYTHON_GIL' not in os.environ"),
        ]
        # This command itself runs in a stock build, which refuses PYTHON_GIL=0.
        starter = f"import os; os.environ['PYTHON_GIL'] = {env['PYTHON_GIL']!r}\n"
        starter += f"from gilscope.cli import main; raise SystemExit(main({command!r}))"
        subprocess.run(
            [sys.executable, "-c", starter],
            cwd=tmp_path,
            timeout=TIMEOUT_S,
            check=True,
            capture_output=True,
        )
        runs = json.loads((tmp_path / "s.json").read_text())["runs"]
        assert [run["gil_enabled_after"] for run in runs] == [True, False]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_compare_ends_its_workers_with_itself(tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM leave no process and no temporary file behind; Ctrl-C keeps the trace."""
    script(
        tmp_path,
        """
        import os, pathlib, subprocess, time
        child = subprocess.Popen(["sleep", "100"])
        pathlib.Path("pids.part").write_text(f"{os.getpid()} {child.pid}")
        os.replace("pids.part", "pids")
        time.sleep(1000)
        """,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gilscope", "compare", "-o", "traces", "program.py"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    wait_for((tmp_path / "pids").exists)
    process.send_signal(number)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert not re.search(r"gilscope/(cli|run|comparison)/", err)
    pids = map(int, (tmp_path / "pids").read_text().split())
    wait_for(lambda: not any(map(alive, pids)))
    kept = {signal.SIGINT: ["program-gil.gilscope"], signal.SIGTERM: []}[number]
    assert [path.name for path in (tmp_path / "traces").iterdir()] == kept


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Any) -> None:
    """Wait until ``condition()`` holds."""
    for _ in range(TIMEOUT_S * 20):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("waited in vain")


@pytest.mark.parametrize(("name", "start"), [("chrome", b"{"), ("perfetto", b"\n")])
def test_export_writes_each_format(
    compared: tuple[Path, dict[str, Any]], tmp_path: Path, name: str, start: bytes
) -> None:
    """Both traces go into one file, which is not replaced unasked."""
    traces = sorted((compared[0] / "traces").iterdir())
    words = ["export", *traces, "--format", name, "-o", "out.bin"]
    assert gilscope(*words, cwd=tmp_path).out == "out.bin\n"
    assert (tmp_path / "out.bin").read_bytes().startswith(start)
    assert "out.bin" in gilscope(*words, cwd=tmp_path).error_line
    assert gilscope(*words, "--force", cwd=tmp_path).status == 0


def test_info_says_what_a_trace_holds(compared: tuple[Path, dict[str, Any]]) -> None:
    """Threads, GIL and locks are there for people and as JSON."""
    place, _ = compared
    text = gilscope("info", "traces/threads-gil.gilscope", cwd=place)
    assert "worker-3" in text.out
    assert "complete (stop)" in text.out
    facts = json.loads(gilscope("info", "--json", "traces/threads-ft.gilscope", cwd=place).out)
    assert (facts["build"], facts["free_threaded"]) == ("ft", True)
    assert facts["argv"] == ["threads.py"] or facts["argv"][0].endswith("threads.py")
    assert facts["events"] > 0


def test_pack_takes_little_room(tmp_path: Path) -> None:
    """A packed trace of a real run says the same and takes 16 bytes an event or less."""
    code = """
    import threading, time
    def work():
        for _ in range(3000):
            time.sleep(0)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    script(tmp_path, code)
    assert gilscope("run", "program.py", cwd=tmp_path).status == 0
    done = gilscope("pack", "program.gilscope", cwd=tmp_path)
    assert done.status == 0, done.err
    assert done.out.startswith("program.packed.gilscope: ")
    before, after = (
        json.loads(gilscope("info", "--json", f"program{kind}.gilscope", cwd=tmp_path).out)
        for kind in ("", ".packed")
    )
    assert before.pop("trace") != after.pop("trace")
    assert before == after
    assert before["events"] >= 9000
    assert (tmp_path / "program.packed.gilscope").stat().st_size <= 16 * before["events"]


def test_doctor_is_content_here(tmp_path: Path) -> None:
    """Both builds are found and every class of event is measured or does not apply."""
    done = gilscope("doctor", "--json", cwd=tmp_path)
    findings = json.loads(done.out)
    assert [finding["build"] for finding in findings] == ["gil", "ft"]
    for finding in findings:
        assert finding["error"] is None
        assert finding["self_test"]
        assert not [v for v in finding["self_test"].values() if v.startswith("not measured")]
    assert done.status == 0


def test_python_m_and_the_command_are_the_same(tmp_path: Path) -> None:
    """--version and the list of commands are there."""
    assert gilscope("--version", cwd=tmp_path).out.strip() == f"gilscope {package.__version__}"
    listed = gilscope("--help", cwd=tmp_path).out
    assert all(name in listed for name in ("run", "compare", "export", "info", "doctor"))


def test_output_that_nobody_reads_is_no_error(compared: tuple[Path, dict[str, Any]]) -> None:
    """A closed pipe ends the command without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "gilscope", "info", "traces/threads-gil.gilscope"],
        cwd=compared[0],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""


def test_compare_under_the_free_threaded_build_with_its_gil(tmp_path: Path) -> None:
    """The arm ft-gil has its GIL on, so the run is valid; its trace says so where it is shown."""
    program = "import os, sys; print(sys._is_gil_enabled(), os.environ.get('PYTHON_GIL'))"
    comparison = package.compare(
        script(tmp_path, program), builds=["gil", "ft-gil", "ft"], repeat=1, out_dir=tmp_path
    )
    runs = {run.build: run for run in comparison.runs}
    printed = {build: run.stdout for build, run in runs.items()}
    assert printed == {"gil": "True None\n", "ft-gil": "True 1\n", "ft": "False None\n"}
    assert all(run.valid for run in comparison.runs)
    assert (tmp_path / "program-ft-gil.gilscope").is_file()
    names = [scene.name for scene in scenes([trace for _, trace in comparison.traces()])]
    assert [name.split()[0] for name in names] == ["gil", "ft-gil", "ft"]
    page = tmp_path / "r.html"
    comparison.report(page)
    assert "Free-threaded build, GIL on" in page.read_text(encoding="utf-8")


def test_compare_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a module beside the caller is imported and called by each build."""
    (tmp_path / "functions_to_compare.py").write_text(
        "import sys\nclass Work:\n    @staticmethod\n    def do(): print('done', sys.abiflags)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("functions_to_compare").Work.do
    comparison = package.compare(work, repeat=1)
    assert comparison.title == "functions_to_compare.Work.do"
    assert [run.stdout for run in comparison.runs] == ["done \n", "done t\n"]


def test_compare_by_number_of_threads(tmp_path: Path) -> None:
    """The program gets its number of threads and processors; the highest number has the trace."""
    program = """
        import os, threading
        count = int(os.environ["GILSCOPE_THREADS"])
        threads = [threading.Thread(target=sum, args=(range(10**5),)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(count, os.sched_getaffinity(0))
        """
    script(tmp_path, program)
    cpu = min(os.sched_getaffinity(0))
    options = ["--repeat", 2, "--threads", "1,3", "--affinity", cpu, "--json", "s.json"]
    done = gilscope("compare", *options, "--html", "r.html", "program.py", cwd=tmp_path)
    assert done.status == 0, done.err
    assert done.out.startswith(f"3 {{{cpu}}}\n")
    assert "wall time by number of threads" in done.out
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["machine"]["cpus"] == [cpu]
    assert [curve["build"] for curve in summary["scaling"]] == ["gil", "ft"]
    for curve, run in zip(summary["scaling"], summary["runs"], strict=True):
        assert [(p["threads"], len(p["wall_s"])) for p in curve["points"]] == [(1, 2), (3, 2)]
        assert curve["points"][1]["wall_s"] == run["wall_s"]
        assert curve["amdahl"] is not None
        assert sum(not thread["native"] for thread in run["threads"]) == 4
    assert "Scaling with the number of threads" in (tmp_path / "r.html").read_text()


def test_compare_notices_another_output(tmp_path: Path) -> None:
    """The first line that differs, unless only a time in it does; a difference is no failure."""
    program = "import sys, time; print(time.perf_counter(), 's'); print('flags', sys.abiflags)"
    done = gilscope("compare", "--repeat", 1, "-c", program, cwd=tmp_path)
    assert done.status == 0
    expected = "the output differs from that of the GIL build: line 2 is 'flags t', not 'flags '"
    assert f"note: free-threaded build: {expected}" in done.out


def test_compare_of_a_program_that_leaves_by_os_exit(tmp_path: Path) -> None:
    """It has not failed, but there is nothing to time; it is run once under each build."""
    program = "import os; os.write(1, b'out\\n'); os._exit(0)"
    done = gilscope("compare", "--builds", "gil", "-c", program, cwd=tmp_path)
    assert (done.status, done.out.splitlines()[0]) == (0, "out")
    assert "note: GIL build: the program ended by os._exit, so it was not timed" in done.out
    assert done.err.count("gilscope: [") == 1


def test_compare_from_python(tmp_path: Path) -> None:
    """gilscope.compare does the same; its traces live as long as what it returns."""
    program = script(tmp_path, "import sys; print(sys.argv[1:])")
    comparison = package.compare(program, ["a", "b"], builds=["gil"], repeat=1)
    [run] = comparison.runs
    assert (run.build, run.status, run.stdout) == ("gil", 0, "['a', 'b']\n")
    assert run.trace is not None
    path = run.trace_path
    assert path is not None
    assert path.is_file()
    del comparison, run
    gc.collect()
    assert not path.exists()
