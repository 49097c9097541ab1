"""tools/interpreters.py: what is taken, what is refused and why; no network, nothing is built."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TOOL = Path(__file__).resolve().parents[2] / "tools" / "interpreters.py"


def load_tool() -> ModuleType:
    """Import the script by its path: tools/ is no package."""
    spec = importlib.util.spec_from_file_location("gilscope_tools_interpreters", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def script(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_python(path: Path, version: str, **changes: Any) -> Path:
    """Write a program that answers the inspection as a fit interpreter would, but for `changes`."""
    facts = {
        "executable": str(path),
        "implementation": "CPython",
        "version": version,
        "free_threaded": path.name.endswith("t"),
        "include": "/include",
        "missing": [],
        "ensurepip": True,
        **changes,
    }
    return script(path, f"cat <<'END'\n{json.dumps(facts)}\nEND")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a PATH that holds only the fakes (and the shell's own tools), and an empty cache."""
    programs = tmp_path / "bin"
    tools = tmp_path / "tools"
    programs.mkdir()
    tools.mkdir()
    (tools / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{tools}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("GILSCOPE_PYTHON", "GILSCOPE_FT_PYTHON", "CC", "CPPFLAGS"):
        monkeypatch.delenv(name, raising=False)
    return programs


def whole_build(version: str, arm: str, package: str = "p=1", flags: str = "") -> Path:
    """Lay a finished build into the cache and return its prefix."""
    prefix: Path = tool.cache_root() / version / arm
    name = f"python{tool.series_of(version)}{'t' if arm == 'ft' else ''}"
    executable = fake_python(prefix / "bin" / name, version)
    marker = {"version": version, "package": package, "flags": flags}
    tool.write_marker(prefix, {**marker, "executable": str(executable)})
    return prefix


# ---------------------------------------------------------------- versions


def test_versions_sort_by_number_and_stage() -> None:
    """3.13.10 is newer than 3.13.9, and a release newer than its candidates."""
    versions = ["3.15.0rc1", "3.13.9", "3.15.0", "3.13.10", "3.15.0a7", "3.14.0+"]
    assert sorted(versions, key=tool.version_key) == [
        "3.13.9",
        "3.13.10",
        "3.14.0+",
        "3.15.0a7",
        "3.15.0rc1",
        "3.15.0",
    ]


def test_what_is_no_version_sorts_first() -> None:
    """A stray directory in the cache is never taken for a version."""
    assert tool.version_key("work") == (0,)


def test_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_CACHE_HOME counts only if it is absolute."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert tool.cache_root() == tmp_path / ".cache" / "gilscope"


# ---------------------------------------------------------------- one interpreter


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "3.12.9"}, "is Python 3.12.9, wanted 3.13"),
        ({"free_threaded": True}, "is a free-threaded build, wanted a stock (GIL) one"),
        ({"implementation": "PyPy"}, "is PyPy, not CPython"),
        (
            {"missing": ["internal/pycore_gil.h"]},
            "has no development headers: /include/internal/pycore_gil.h is missing",
        ),
    ],
)
def test_unfit_interpreter_is_refused(
    bare_machine: Path, changes: dict[str, Any], reason: str
) -> None:
    """Wrong version, build or implementation, and missing internal headers, each say so."""
    path = fake_python(bare_machine / "python3.13", **{"version": "3.13.5", **changes})
    with pytest.raises(tool.RefusedError) as refusal:
        tool.check(str(path), free_threaded=False, series=["3.13"])
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'no such command' >&2; exit 127", "exit status 127: no such command"),
        ("echo hello", "its answer is not that of a Python"),
        ("echo '[1]'", "its answer is not that of a Python"),
        ("kill -9 $$", "exit status -9: no message"),
    ],
)
def test_program_that_is_no_python_is_refused(bare_machine: Path, text: str, reason: str) -> None:
    """A version manager's shim without its version, and the like, are refused with their words."""
    path = script(bare_machine / "python3.13", text)
    with pytest.raises(tool.RefusedError, match="does not run") as refusal:
        tool.check(str(path), free_threaded=False, series=["3.13"])
    assert reason in str(refusal.value)


def test_program_that_hangs_is_refused(bare_machine: Path) -> None:
    """An interpreter that does not answer in time is refused."""
    path = script(bare_machine / "python3.13", "while :; do :; done")
    with pytest.raises(tool.RefusedError, match="no answer within"):
        tool.inspect(str(path), timeout=1.0)


def test_inspection_runs_in_a_real_interpreter() -> None:
    """The inspection's program describes the interpreter that runs this test."""
    found, _ = tool.inspect(sys.executable)
    assert found.series == f"{sys.version_info[0]}.{sys.version_info[1]}"


# ---------------------------------------------------------------- PATH


def test_newest_whole_pair_on_path_wins(bare_machine: Path) -> None:
    """3.15 without its free-threaded half yields to a whole 3.14, and 3.13 is not reached."""
    for name, version in (
        ("python3.15", "3.15.1"),
        ("python3.14", "3.14.2"),
        ("python3.14t", "3.14.2"),
        ("python3.13", "3.13.5"),
        ("python3.13t", "3.13.5"),
    ):
        fake_python(bare_machine / name, version)
    pair = tool.find()
    assert (pair.version, pair.source) == ("3.14.2", "path")
    assert pair.free_threaded == str(bare_machine / "python3.14t")


def test_version_restricts_the_search(bare_machine: Path) -> None:
    """Only the series asked for is taken."""
    for name, version in (
        ("python3.14", "3.14.2"),
        ("python3.14t", "3.14.2"),
        ("python3.13", "3.13.5"),
        ("python3.13t", "3.13.5"),
    ):
        fake_python(bare_machine / name, version)
    assert tool.find(["3.13"]).version == "3.13.5"


def test_unfit_program_does_not_hide_a_later_one(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program of that name on PATH is considered, not only the first."""
    script(bare_machine / "python3.13", "exit 127")
    second = fake_python(tmp_path / "second" / "python3.13", "3.13.5")
    monkeypatch.setenv("PATH", f"{bare_machine}:{second.parent}:{tmp_path / 'tools'}")
    assert tool.find(["3.13"]).stock == str(second)


def test_equal_patch_versions_are_preferred(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two stock interpreters the one of the free-threaded one's very version is taken."""
    fake_python(bare_machine / "python3.13", "3.13.1")
    fake_python(tmp_path / "second" / "python3.13", "3.13.5")
    fake_python(tmp_path / "second" / "python3.13t", "3.13.5")
    monkeypatch.setenv("PATH", f"{bare_machine}:{tmp_path / 'second'}:{tmp_path / 'tools'}")
    assert tool.find(["3.13"]).version == "3.13.5"


def test_pip_is_promised_only_if_both_have_it(bare_machine: Path) -> None:
    """has_ensurepip is false if one of the two lacks it."""
    fake_python(bare_machine / "python3.13", "3.13.5")
    fake_python(bare_machine / "python3.13t", "3.13.5", ensurepip=False)
    assert tool.find().has_ensurepip is False


# ---------------------------------------------------------------- environment


def test_environment_comes_first(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreters that the variables name are taken before newer ones on PATH."""
    fake_python(bare_machine / "python3.15", "3.15.1")
    fake_python(bare_machine / "python3.15t", "3.15.1")
    monkeypatch.setenv("GILSCOPE_PYTHON", str(fake_python(tmp_path / "my", "3.13.5")))
    monkeypatch.setenv("GILSCOPE_FT_PYTHON", str(fake_python(tmp_path / "myt", "3.13.5")))
    pair = tool.find()
    assert (pair.source, pair.stock, pair.version) == (
        "environment",
        str(tmp_path / "my"),
        "3.13.5",
    )


def test_one_variable_is_completed_from_elsewhere(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With only the stock one named, a free-threaded one of its version is looked for."""
    fake_python(bare_machine / "python3.15t", "3.15.1")
    other = fake_python(bare_machine / "python3.13t", "3.13.5")
    monkeypatch.setenv("GILSCOPE_PYTHON", str(fake_python(tmp_path / "my", "3.13.5")))
    pair = tool.find()
    assert (pair.stock, pair.free_threaded) == (str(tmp_path / "my"), str(other))


def test_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfit interpreter is an error that names the variable and the reason."""
    path = fake_python(tmp_path / "python3.13", "3.13.5")
    monkeypatch.setenv("GILSCOPE_FT_PYTHON", str(path))
    with pytest.raises(tool.InterpreterError) as error:
        tool.find()
    assert str(error.value) == (
        f"GILSCOPE_FT_PYTHON={path}: is a stock (GIL) build, wanted a free-threaded one"
    )


def test_variables_of_two_versions_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two must be of one version."""
    monkeypatch.setenv("GILSCOPE_PYTHON", str(fake_python(tmp_path / "my", "3.13.5")))
    monkeypatch.setenv("GILSCOPE_FT_PYTHON", str(fake_python(tmp_path / "myt", "3.14.2")))
    with pytest.raises(tool.InterpreterError, match=r"3\.13\.5.*3\.14\.2.*one version"):
        tool.find()


# ---------------------------------------------------------------- uv


def test_uv_is_asked_without_leave_to_download(bare_machine: Path, tmp_path: Path) -> None:
    """Its interpreters are examined like all others, and looking never downloads."""
    fake_python(tmp_path / "uv" / "3.14", "3.14.2")
    fake_python(tmp_path / "uv" / "3.14t", "3.14.2")
    script(
        bare_machine / "uv",
        f'echo "$@" >> {tmp_path}/asked\nfor last; do :; done\n'
        f'[ -e {tmp_path}/uv/$last ] || {{ echo "error: none" >&2; exit 2; }}\n'
        f"echo {tmp_path}/uv/$last",
    )
    pair = tool.find()
    assert (pair.source, pair.version) == ("uv", "3.14.2")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert all("python find" in line and "--no-python-downloads" in line for line in asked)


def test_failed_download_by_uv_is_no_error(bare_machine: Path) -> None:
    """After a failure of uv, which is printed, the next source is tried."""
    script(bare_machine / "uv", "echo 'error: no network' >&2; exit 1")
    told = io.StringIO()
    tool.install_by_uv(["3.15", "3.14"], tool.Progress(told))
    assert told.getvalue().count("refused: uv: no network") == 2


# ---------------------------------------------------------------- cache


def test_whole_builds_in_the_cache_are_found_newest_first() -> None:
    """Versions are compared as numbers."""
    for version in ("3.13.9", "3.13.10"):
        for arm in tool.ARMS:
            whole_build(version, arm)
    pair = tool.find()
    assert (pair.version, pair.source) == ("3.13.10", "cache")


def test_build_without_marker_is_never_taken() -> None:
    """An installation that works but was never declared whole is refused by name."""
    whole_build("3.13.5", "gil")
    prefix = whole_build("3.13.5", "ft")
    (prefix / tool.MARKER).unlink()
    survey = tool.Survey()
    assert tool.find(survey=survey).free_threaded is None
    assert (
        tool.Considered("cache", str(prefix), "refused: a build that was never finished")
        in survey.considered
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "3.13.5"}'])
def test_torn_marker_is_no_marker(text: str) -> None:
    """Whatever is not the whole record counts as unfinished."""
    prefix = whole_build("3.13.5", "gil")
    (prefix / tool.MARKER).write_text(text)
    assert tool.read_marker(prefix) is None


def test_marker_is_replaced_whole() -> None:
    """Writing leaves one file, that reads back as it was written."""
    prefix = whole_build("3.13.5", "gil", package="python3.13=3.13.5-2", flags="--x")
    assert tool.read_marker(prefix)["package"] == "python3.13=3.13.5-2"
    assert [path.name for path in prefix.glob(".gilscope*")] == [tool.MARKER]


def test_builds_with_unequal_flags_are_no_pair() -> None:
    """A comparison of two builds with different flags would compare the flags."""
    whole_build("3.13.5", "gil", flags="--with-lto")
    whole_build("3.13.5", "ft")
    assert tool.find().free_threaded is None


# ---------------------------------------------------------------- the build's beginnings


def test_missing_headers_are_named_by_package(bare_machine: Path) -> None:
    """A compiler that finds only some headers: the packages to install stand in one command."""
    script(bare_machine / "gcc", 'read line\ncase "$line" in *stdio*|*zlib*) exit 0;; esac\nexit 1')
    script(bare_machine / "make", "")
    script(bare_machine / "apt-get", "")
    errors, notices = tool.missing_for_build(tool.cache_root())
    wanted = ["libssl-dev", "libffi-dev", "debian-archive-keyring"]
    if tool.KEYRING.is_file():
        wanted.remove("debian-archive-keyring")
    assert f"run apt-get install {' '.join(wanted)}" in errors[0]
    assert "libsqlite3-dev is not there: no sqlite3 module" in notices
    assert "dpkg-dev is not there: Debian's patches are left out" in notices


def test_missing_compiler_make_and_apt_are_errors() -> None:
    """On a machine with nothing, all that is required is named at once."""
    text = "; ".join(tool.missing_for_build(tool.cache_root())[0])
    assert all(word in text for word in ("gcc", "libc6-dev", "make", "no apt-get"))


def test_nothing_is_fetched_while_something_is_missing(bare_machine: Path) -> None:
    """The error comes before apt is run at all."""
    script(bare_machine / "apt-get", f"touch {bare_machine}/ran")
    with pytest.raises(tool.InterpreterError, match="apt-get install gcc"):
        tool.provide(progress=tool.Progress(io.StringIO()))
    assert not (bare_machine / "ran").exists()


def test_cache_path_with_a_space_is_refused(tmp_path: Path) -> None:
    """CPython's makefiles cannot install there."""
    errors, _ = tool.missing_for_build(tmp_path / "a b")
    assert any("space" in error for error in errors)


def test_newest_series_of_an_index_is_chosen() -> None:
    """The first series in order of preference, and of it the newest version."""
    index = (
        "Package: python3.13\nVersion: 3.13.5-2\n\n"
        "Package: python3.14\nFormat: 3.0\nVersion: 3.14.9-1\n\n"
        "Package: python3.14\nVersion: 3.14.10-1+b1\n\n"
        "Package: unrelated\nVersion: 9-1\n"
    )
    chosen = tool.newest_in(index, tool.SERIES, "trixie")
    assert (chosen.name, chosen.version, chosen.upstream) == (
        "python3.14",
        "3.14.10-1+b1",
        "3.14.10",
    )


def test_empty_index_offers_nothing() -> None:
    """A suite without any of the packages is passed over."""
    assert tool.newest_in("", tool.SERIES, "sid") is None


def test_private_apt_insists_on_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configuration names its own directories and switches every check on."""
    monkeypatch.setenv(tool.MIRROR_VARIABLE, "http://mirror.example/debian")
    env = tool.private_apt(tmp_path / "apt", "trixie")
    text = Path(env["APT_CONFIG"]).read_text()
    assert 'APT::Get::AllowUnauthenticated "false";' in text
    assert 'Acquire::AllowInsecureRepositories "false";' in text
    assert 'Acquire::Check-Valid-Until "true";' in text
    assert f'Dir::State "{tmp_path}/apt/state";' in text
    source = (tmp_path / "apt/etc/sources.list").read_text()
    assert source.startswith(f"deb-src [signed-by={tool.KEYRING}] ")


def test_mirror_is_the_one_that_the_machine_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of Debian in the machine's sources is found; security archives are none."""
    monkeypatch.delenv(tool.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(tool, "MACHINE_SOURCES", tmp_path)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://old.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "URIs: http://mirror.example/debian-security\nURIs: http://mirror.example/debian\n"
    )
    assert tool.mirror() == "http://mirror.example/debian"


def test_missing_mirror_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another distribution, the error says which variable to set."""
    monkeypatch.delenv(tool.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(tool, "MACHINE_SOURCES", tmp_path)
    with pytest.raises(tool.InterpreterError, match=tool.MIRROR_VARIABLE):
        tool.mirror()


def test_only_proxies_are_taken_from_the_machines_apt(bare_machine: Path) -> None:
    """No other setting of the machine reaches the private configuration."""
    script(
        bare_machine / "apt-config",
        "cat <<'END'\n"
        'APT::Get::AllowUnauthenticated "true";\n'
        'Acquire::http::Proxy "http://proxy:3142";\n'
        'Acquire::https::Proxy::example.org "DIRECT";\n'
        "END",
    )
    assert tool.proxies().splitlines() == [
        'Acquire::http::Proxy "http://proxy:3142";',
        'Acquire::https::Proxy::example.org "DIRECT";',
    ]


def test_patches_of_debians_layout_are_left_out(tmp_path: Path) -> None:
    """They would hide a virtual environment's packages from a free-threaded build."""
    (tmp_path / "series").write_text("# comment\nsecurity.patch -p1\n\nlayout.diff\nlast.patch\n")
    (tmp_path / "security.patch").write_text("+    if size < 0:\n")
    (tmp_path / "layout.diff").write_text("--- a\n+    'posix_local': {\n")
    (tmp_path / "last.patch").write_text(" context: dist-packages\n+x\n")
    names = [path.name for path in tool.wanted_patches(tmp_path)]
    assert names == ["security.patch", "last.patch"]


def test_build_without_verified_index_names_each_suite(bare_machine: Path, tmp_path: Path) -> None:
    """If no suite's signature can be verified, nothing is fetched; the error has the reasons."""
    text = 'suite=$(cat "${APT_CONFIG%apt.conf}sources.list")\necho "E: ${suite##*debian } refused"'
    script(bare_machine / "apt-get", f"{text}\nexit 100")
    runner = tool.Runner(tool.Progress(io.StringIO()), tmp_path / "log", os.open("/dev/null", 0))
    with pytest.raises(tool.InterpreterError) as error:
        tool.choose_package(runner, tmp_path, tool.SERIES)
    assert all(f"{suite}: {suite} main refused" in str(error.value) for suite in tool.SUITES)


# ---------------------------------------------------------------- a whole build, of fakes


FAKE_SOURCE = r"""
for last; do :; done
mkdir -p "$last/debian/patches"
echo fix.patch > "$last/debian/patches/series"
echo "+fix" > "$last/debian/patches/fix.patch"
cat > "$last/configure" <<'END'
#!/bin/sh
echo "$@" > flags
END
chmod +x "$last/configure"
"""

FAKE_MAKE = r"""
echo "make $*: $(cat flags)" >> @record@
[ "$1" = install ] || exit 0
read flags < flags
prefix=${flags#--prefix=}
prefix=${prefix%% *}
[ -e @record@.fail.${prefix##*/} ] && { echo "no space left"; exit 2; }
name=python3.13; free=false
case $flags in *--disable-gil*) name=python3.13t; free=true;; esac
mkdir -p $prefix/bin
cat > $prefix/bin/$name <<END
#!/bin/sh
case "\$*" in
  *"-m venv"*) mkdir -p venv/bin; cp $prefix/bin/$name venv/bin/python;;
  -I*) echo '{"executable": "$prefix/bin/$name", "implementation": "CPython",
             "version": "3.13.5", "free_threaded": '$free', "include": "/i", "missing": [],
             "ensurepip": true}';;
esac
END
chmod +x $prefix/bin/$name
"""


@pytest.fixture
def build_machine(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a machine that has all that a build needs; returns the record of what make was told."""
    record = tmp_path / "record"
    for name in ("sh", "mkdir", "cp", "chmod"):
        (tmp_path / "tools" / name).symlink_to(f"/bin/{name}")
    for name in ("gcc", "patch", "apt-config"):
        script(bare_machine / name, "exit 0")
    script(bare_machine / "apt-get", f'echo "apt-get $1" >> {record}')
    script(bare_machine / "apt-cache", "echo 'Package: python3.13'; echo 'Version: 3.13.5-2'")
    script(bare_machine / "dpkg-source", FAKE_SOURCE)
    script(bare_machine / "make", FAKE_MAKE.replace("@record@", str(record)))
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(tool, "KEYRING", keyring)
    monkeypatch.setattr(tool, "FREE_SPACE_NEEDED", 0)
    return record


def test_build_makes_both_with_equal_flags(build_machine: Path) -> None:
    """The one difference is --disable-gil; the pair is in the cache afterwards."""
    pair = tool.provide(progress=tool.Progress(io.StringIO()))
    assert (pair.version, pair.source) == ("3.13.5", "debian-source")
    told = [line for line in build_machine.read_text().splitlines() if "install" in line]
    stock, other = (line.split("--prefix=")[1].split()[1:] for line in told)
    assert [*stock, "--disable-gil"] == other
    assert tool.find().source == "cache"
    assert sorted(path.name for path in tool.cache_root().iterdir()) == [
        "3.13.5",
        "fetch.log",
        "lock",
    ]


def test_failed_build_is_resumed_at_the_missing_half(build_machine: Path) -> None:
    """What was finished is kept, what failed is not trusted, and its log's end is shown."""
    failure = Path(f"{build_machine}.fail.ft")
    failure.touch()
    with pytest.raises(tool.InterpreterError, match=r"(?s)free-threaded .*no space left"):
        tool.provide(progress=tool.Progress(io.StringIO()))
    assert tool.find().free_threaded is None
    failure.unlink()
    build_machine.unlink()
    assert tool.provide(progress=tool.Progress(io.StringIO())).free_threaded is not None
    installs = [line for line in build_machine.read_text().splitlines() if "install" in line]
    assert len(installs) == 1


def test_build_whose_environments_hide_their_packages_is_refused(
    build_machine: Path, bare_machine: Path
) -> None:
    """The check in a virtual environment decides, not that make succeeded."""
    text = (bare_machine / "make").read_text()
    (bare_machine / "make").write_text(text.replace("  -I*)", "  *purelib*) exit 1;;\n  -I*)"))
    with pytest.raises(tool.InterpreterError, match="check its packages failed"):
        tool.provide(progress=tool.Progress(io.StringIO()))
    assert build_machine.exists()
    assert tool.find() is None


def test_outer_make_does_not_reach_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `make demo` the build's own make must not look for the outer one's job server."""
    monkeypatch.setenv("MAKEFLAGS", "-j --jobserver-auth=3,4")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert not {"MAKEFLAGS", "PYTHONPATH"} & tool.clean_environment().keys()


# ---------------------------------------------------------------- running and waiting


def test_failed_command_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The last 20 lines and the log's path follow the first line."""
    runner = tool.Runner(tool.Progress(io.StringIO()), tmp_path / "log", os.open("/dev/null", 0))
    command = [
        "/bin/sh",
        "-c",
        "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done; exit 3",
    ]
    with pytest.raises(tool.InterpreterError) as error:
        runner.run("make", command, tmp_path)
    lines = str(error.value).splitlines()
    assert lines[0] == f"make failed (exit status 3), log: {tmp_path / 'log'}"
    assert lines[1:] == [f"  line {number}" for number in range(10, 30)]


def test_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """The whole process group goes."""
    runner = tool.Runner(tool.Progress(io.StringIO()), tmp_path / "log", os.open("/dev/null", 0))
    command = ["/bin/sh", "-c", f"/bin/sleep 60 & echo $! > {tmp_path}/child; wait"]
    with pytest.raises(tool.InterpreterError, match="longer than"):
        runner.run("make", command, tmp_path, timeout=5)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    # A signal that was sent is obeyed when the machine gets round to it.
    end = time.monotonic() + 30
    while process_state(child) not in {None, "Z"} and time.monotonic() < end:
        time.sleep(0.01)
    assert process_state(child) in {None, "Z"}


def process_state(stat: Path) -> str | None:
    """The letter of a process in its /proc/PID/stat, None when it is gone."""
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def test_failure_leaves_no_work_behind(tmp_path: Path) -> None:
    """The directory of an interrupted build is removed, and old contents go at the start."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "old").touch()

    def interrupted() -> None:
        with tool.work_directory(tmp_path / "work") as work:
            assert not list(work.iterdir())
            (work / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "work").exists()


def test_second_run_waits_and_says_so(tmp_path: Path) -> None:
    """The lock is taken only when the first run lets go of it, and the wait is announced."""
    told, taken, waiting = io.StringIO(), threading.Event(), threading.Event()

    class Told(tool.Progress):  # type: ignore[misc, name-defined]
        def say(self, text: str) -> None:
            super().say(text)
            waiting.set()

    def second() -> None:
        with tool.locked(tmp_path, Told(told)):
            taken.set()

    thread = threading.Thread(target=second, daemon=True)
    with tool.locked(tmp_path, tool.Progress(io.StringIO())):
        thread.start()
        assert waiting.wait(30)
        assert not taken.is_set()
    assert taken.wait(30)
    thread.join(30)
    assert f"another run is at work in {tmp_path}: waiting for it" in told.getvalue()


def test_commands_keep_the_lock_of_a_killed_run(tmp_path: Path) -> None:
    """A command inherits the lock, so a new run waits while one of a run that is gone writes."""
    with tool.locked(tmp_path, tool.Progress(io.StringIO())) as lock:
        runner = tool.Runner(tool.Progress(io.StringIO()), tmp_path / "log", lock)
        held = f'[ "$(readlink /proc/self/fd/{lock})" = {tmp_path}/lock ]'
        runner.run("look", ["/bin/sh", "-c", f"PATH=/usr/bin:/bin; {held}"], tmp_path, timeout=30)


def test_progress_without_terminal_is_sparse() -> None:
    """Ticks within the interval are not written, steps are."""
    told = io.StringIO()
    progress = tool.Progress(told, interval=3600)
    progress.say("make")
    progress.tick("make: 1 files compiled")
    assert told.getvalue().count("\n") == 1


# ---------------------------------------------------------------- the command


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script itself."""
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_find_prints_the_pair_as_json(bare_machine: Path) -> None:
    """Standard output is one JSON object and nothing else."""
    stock = fake_python(bare_machine / "python3.13", "3.13.5")
    other = fake_python(bare_machine / "python3.13t", "3.13.5")
    done = command("--find")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "version": "3.13.5",
        "free_threaded_version": "3.13.5",
        "source": "path",
        "stock": str(stock),
        "free_threaded": str(other),
        "has_ensurepip": True,
    }


def test_find_without_any_exits_with_3() -> None:
    """Nothing on standard output, one line on standard error."""
    done = command("--find")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)


def test_find_with_a_stock_one_only_exits_with_4(bare_machine: Path) -> None:
    """The stock one is returned, with a line that the other one is missing."""
    fake_python(bare_machine / "python3.13", "3.13.5")
    done = command("--find")
    assert done.returncode == 4
    assert json.loads(done.stdout)["free_threaded"] is None
    assert "no free-threaded CPython 3.13 found" in done.stderr


def test_wrong_variable_is_one_line_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, and the message names the variable."""
    monkeypatch.setenv("GILSCOPE_PYTHON", "/nowhere/python3")
    done = command("--find")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "GILSCOPE_PYTHON=/nowhere/python3: does not run" in done.stderr


def test_list_gives_a_reason_for_every_refusal(bare_machine: Path) -> None:
    """Each candidate has its line, what is absent too."""
    script(bare_machine / "python3.13", "echo 'not installed' >&2; exit 127")
    done = command("--list", "--version", "3.13")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    program = bare_machine / "python3.13"
    assert f"path: {program}: refused: does not run: exit status 127: not installed" in lines
    assert "path: python3.13t: not there" in lines
    assert "environment: GILSCOPE_PYTHON: not set" in lines
    assert any(line.startswith("debian-source: build: refused: missing gcc") for line in lines)
