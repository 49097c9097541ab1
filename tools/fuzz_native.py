"""Feeds damaged bytes to what parses foreign objects inside the process of the program.

    .venv/bin/python tools/fuzz_native.py [--seconds N] [--seed N] [unwind|symbols|elf_image ...]

With libFuzzer if clang has it, else with mutations of our own and the usual compiler; both under
AddressSanitizer and UndefinedBehaviorSanitizer. The first inputs are made from a library that the
build makes. Exit status: 0, 1 if a target failed, 2 if nothing could be built.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import core_tests

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "fuzz-native"
TARGETS = ("unwind", "symbols", "elf_image")
CLANGS = ("clang++", "clang++-19", "clang++-16", "clang++-14")
EXIT_NOTHING = 2
EH_FRAME = "PT_GNU_EH_FRAME"
SEGMENT_BYTES = 1 << 16
SANITIZERS = "address,undefined"


def say(text: str) -> None:
    """Show progress."""
    print(f"fuzz-native: {text}", flush=True)


def clang() -> str | None:
    """Find a clang that can link libFuzzer."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "empty.cpp")
        source.write_text(
            'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n',
            encoding="utf-8",
        )
        for name in filter(shutil.which, CLANGS):
            flag = f"-fsanitize=fuzzer,{SANITIZERS}"
            command = [name, flag, str(source), "-o", str(source.with_suffix(""))]
            if core_tests.run(command, 60).returncode == 0:
                return name
    return None


def build(compiler: str | None) -> Path:
    """Build the targets; the folder that holds them."""
    place = ROOT / "build" / ("fuzz-libfuzzer" if compiler else "fuzz-driver")
    flags = "-O1 -g1 -fno-omit-frame-pointer"
    configure = [
        core_tests.tool("cmake"), "-S", str(ROOT), "-B", str(place), "-G", "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={core_tests.tool('ninja')}", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_CXX_FLAGS_DEBUG={flags}", f"-DCMAKE_C_FLAGS_DEBUG={flags}",
        f"-DGILSCOPE_FUZZ={'libfuzzer' if compiler else 'driver'}",
        f"-DGILSCOPE_SANITIZER={SANITIZERS}",
    ]  # fmt: skip
    if compiler is not None:
        configure += [f"-DCMAKE_CXX_COMPILER={compiler}"]
        configure += [f"-DCMAKE_C_COMPILER={compiler.replace('clang++', 'clang')}"]
    for command in (configure, [core_tests.tool("cmake"), "--build", str(place), "-j", "2"]):
        done = core_tests.run(command, core_tests.BUILD_SECONDS)
        if done.returncode != 0:
            print(done.stdout[-8000:], file=sys.stderr)
            raise core_tests.BuildError("the build failed (the output above says why)")
    return place / "native_probe" / "fuzz"


def unwinding_tables(library: Path) -> bytes:
    """Return .eh_frame_hdr and what follows it in its segment."""
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 (of the environment, not of all)

    with library.open("rb") as file:
        segments = list(ELFFile(file).iter_segments())
    (header,) = [segment["p_offset"] for segment in segments if segment["p_type"] == EH_FRAME]
    ends = [
        segment["p_offset"] + segment["p_filesz"]
        for segment in segments
        if segment["p_type"] == "PT_LOAD"
        and segment["p_offset"] <= header < segment["p_offset"] + segment["p_filesz"]
    ]
    return library.read_bytes()[header : max(ends)][:SEGMENT_BYTES]


def seeds(target: str, programs: Path) -> Path:
    """Write the first inputs of a target; the folder that holds them."""
    corpus = OUT / target
    corpus.mkdir(parents=True, exist_ok=True)
    library = programs / "fuzz_seed.so"
    content = unwinding_tables(library) if target == "unwind" else library.read_bytes()
    (corpus / "seed").write_bytes(content)
    return corpus


def fuzz(target: str, programs: Path, seconds: int, seed: int, *, engine: bool) -> bool:
    """Run one target for a time; whether nothing was found."""
    corpus = seeds(target, programs)
    program = str(programs / f"fuzz_{target}")
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10", "-rss_limit_mb=4096",
        "-max_len=65536", f"-artifact_prefix={OUT}/{target}-", "-print_final_stats=1", str(corpus),
    ]  # fmt: skip
    if not engine:
        options = [str(seconds), str(seed), *map(str, sorted(corpus.iterdir()))]
    done = core_tests.run([program, *options], seconds + 120)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0:
        print("\n".join(lines[-60:]))
    stats = [line.split(":")[-1].strip() for line in lines if "number_of_executed_units" in line]
    count = f"{stats[0]} inputs" if stats else (lines or ["no inputs"])[-1]
    verdict = "nothing found" if done.returncode == 0 else "FAILED"
    say(f"{target}: {count if done.returncode == 0 else ''} in {seconds} s, {verdict}")
    return done.returncode == 0


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("target", nargs="*", help=", ".join(TARGETS))
    chosen = parser.parse_args()
    unknown = set(chosen.target) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    os.environ.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
    compiler = clang()
    if compiler is None:
        say("no clang with libFuzzer (Debian: clang, libclang-rt-dev): mutations of our own")
    say(f"seed {chosen.seed}")
    try:
        programs = build(compiler)
        OUT.mkdir(parents=True, exist_ok=True)
        found = [
            fuzz(target, programs, chosen.seconds, chosen.seed, engine=compiler is not None)
            for target in chosen.target or TARGETS
        ]
    except core_tests.BuildError as error:
        say(str(error))
        return EXIT_NOTHING
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
