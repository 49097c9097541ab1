"""Provide CPythons that are built with a sanitizer of the compiler.

From the same Debian source as those of interpreters.py, into the same cache. Both builds (gil, ft)
with AddressSanitizer (asan) and with ThreadSanitizer (tsan). Standard library only, any Python from
3.9 on.

    python3 tools/sanitized_interpreters.py              provide all four, print them as JSON
    python3 tools/sanitized_interpreters.py gil-asan     these only

Only gcc will do: its sanitizers' runtimes are shared libraries, so the interpreter calls libc
through its relocation slots as always. Clang links them into the executable, where the calls of the
interpreter never pass a slot.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The compiler's name for what each looks for, and the runtime's variable of options.
SANITIZERS = {"asan": "address", "tsan": "thread"}
BUILDS = ("gil-asan", "ft-tsan", "gil-tsan", "ft-asan")
CONFIGURE = {"asan": "--with-address-sanitizer", "tsan": "--with-thread-sanitizer"}
# Not -O3: half the time to build, and reports whose frames are the source's.
OPTIMISATION = "-O1 -g1 -DNDEBUG"
# The interpreter frees little at its end, and the programs that configure tries race or leak.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_segv=0",
    "TSAN_OPTIONS": "report_bugs=0:exitcode=0",
}


def sanitizer_of(name: str) -> str:
    """Return the sanitizer's half of a build's name: "asan" of "gil-asan"."""
    return name.rpartition("-")[2]


def runs(command: Sequence[str]) -> bool:
    """Run a program quietly and tell whether it ended well."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def launcher(sanitizer: str) -> list[str]:
    """Return what must stand before a command of this sanitizer for it to run here: mostly nothing.

    Some kernels put memory where ThreadSanitizer expects none, unless addresses are not random.

    Raises:
        interpreters.InterpreterError: The compiler has no such sanitizer, or it does not run here.
    """
    cc = interpreters.compiler()
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "empty.c")
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        program = str(source.with_suffix(""))
        flag = f"-fsanitize={SANITIZERS[sanitizer]}"
        if not cc or not runs([*cc, flag, str(source), "-o", program]):
            raise interpreters.InterpreterError(f"the compiler cannot link {flag}: install gcc")
        fixed = [shutil.which("setarch") or "setarch", platform.machine(), "-R"]
        for prefix in ([], fixed):
            # Several times: the addresses are random, and so is the failure.
            if all(runs([*prefix, program]) for _ in range(10)):
                return prefix
    raise interpreters.InterpreterError(f"a program made with {flag} does not run here")


def extra_flags(name: str) -> list[str]:
    """Return configure's options of one build, besides those that all builds have."""
    sanitizer = sanitizer_of(name)
    # Debian's patches take configure's own LDFLAGS, which have it, from the linker.
    link = f"LDFLAGS_NODIST=-fsanitize={SANITIZERS[sanitizer]}"
    return [CONFIGURE[sanitizer], f"OPT={OPTIMISATION}", link]


def is_whole(prefix: Path, package: str) -> bool:
    """Tell whether a build of this package and these flags is in the cache, ready to run."""
    marker = interpreters.read_marker(prefix) or {}
    flags = interpreters.build_flags(extra_flags(prefix.name))
    same = marker.get("package") == package and marker.get("flags") == flags
    return same and Path(marker["executable"]).exists()


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables of this process, and so of all that it starts, for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def build(
    names: Sequence[str], series: Sequence[str], progress: interpreters.Progress
) -> dict[str, str]:
    """Build what is missing into the cache.

    Args:
        names: Of BUILDS.
        series: The version to build.
        progress: Told what goes on.

    Returns:
        The executable of each.

    Raises:
        interpreters.InterpreterError: Something is missing, cannot be had, or failed; says what.
    """
    root = interpreters.cache_root()
    with interpreters.locked(root, progress) as lock, environment(**OPTIONS):
        runner = interpreters.Runner(progress, root / "fetch.log", lock)
        with interpreters.reported(), interpreters.work_directory(root / "work") as work:
            package, env = interpreters.choose_package(runner, work, series)
            place = root / package.upstream
            missing = [name for name in names if not is_whole(place / name, package.label)]
            source = interpreters.fetch(runner, package, env, work) if missing else work
            if missing:
                # What CPython's developers know of their own races.
                lists = shutil.copytree(source / "Tools/tsan", place / "tsan", dirs_exist_ok=True)
                progress.say(f"ThreadSanitizer's suppressions: {lists}")
            for name in missing:
                log = place / f"build-{name}.log"
                log.unlink(missing_ok=True)
                interpreters.build_arm(
                    dataclasses.replace(runner, log=log),
                    package,
                    source,
                    place / name,
                    extra=extra_flags(name),
                    launcher=launcher(sanitizer_of(name)),
                )
    return found(place, names)


def suppressions(executable: str) -> str:
    """Return CPython's own list of the races that ThreadSanitizer need not report in this build."""
    prefix = Path(executable).parents[1]
    name = "suppressions_free_threading" if prefix.name.startswith("ft") else "suppressions"
    return (prefix.parent / "tsan" / f"{name}.txt").read_text(encoding="utf-8")


def found(place: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the executables of those builds that are whole."""
    markers = {name: interpreters.read_marker(place / name) for name in names}
    return {name: marker["executable"] for name, marker in markers.items() if marker}


def cached(names: Sequence[str]) -> dict[str, str] | None:
    """Return the executables if the cache has them all, of one version, with today's flags."""
    root = interpreters.cache_root()
    for place in sorted(root.glob("[0-9]*"), key=lambda p: interpreters.version_key(p.name)):
        labels = {(interpreters.read_marker(place / name) or {}).get("package") for name in names}
        (label, *others) = labels
        if label and not others and all(is_whole(place / name, label) for name in names):
            return found(place, names)
    return None


def provide(
    names: Sequence[str] = BUILDS, progress: interpreters.Progress | None = None
) -> dict[str, str]:
    """Find or build interpreters of the version that interpreters.py provides.

    Args:
        names: Of BUILDS.
        progress: Told what goes on; standard error if None.

    Returns:
        The executable of each.

    Raises:
        interpreters.InterpreterError: They cannot be had; the message says what to do.
    """
    have = cached(names)
    if have is not None:
        return have
    pair = interpreters.provide()
    progress = progress or interpreters.Progress()
    errors, _ = interpreters.missing_for_build(interpreters.cache_root())
    if errors:
        raise interpreters.InterpreterError("; ".join(errors))
    return build(names, [interpreters.series_of(pair.version)], progress)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Provide CPythons built with a sanitizer.")
    parser.add_argument("build", nargs="*", help=", ".join(BUILDS))
    names = parser.parse_args(argv).build or list(BUILDS)
    unknown = [name for name in names if name not in BUILDS]
    if unknown:
        parser.error(f"no build {unknown[0]!r}: there are {', '.join(BUILDS)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interpreters.interrupt)
    try:
        print(json.dumps(provide(names)))
    except interpreters.InterpreterError as error:
        print(f"sanitized_interpreters.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return interpreters.EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
