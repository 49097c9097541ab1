"""Which memory an instruction accesses, by its bytes; and which memory threads share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gilscope.target.sharing.instructions import LONGEST, Access, access_at
from gilscope.target.sharing.lines import LINE, Lines
from gilscope.target.sharing.processor_samples import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from gilscope.target.hangs.process import Process

BEGIN = 0x1000
AX, DX, BX, SP, BP, SI, DI, R12 = 0, 2, 3, 4, 5, 6, 7, 12
ADD_LOCKED = "f04883401004"  # lock add QWORD PTR [rax+0x10],0x4


def reads(*operand: int) -> Access:
    """An instruction that only reads."""
    return Access(False, False, *operand)  # noqa: FBT003 - as the names say


def writes(*operand: int) -> Access:
    """One that writes."""
    return Access(True, False, *operand)  # noqa: FBT003 - as the names say


def atomic(*operand: int) -> Access:
    """One that has the line for itself."""
    return Access(True, True, *operand)  # noqa: FBT003 - as the names say


def access(text: str, place: int = 0) -> Access | None:
    """What a thread accesses that was interrupted at a place in these bytes."""
    return access_at(bytes.fromhex(text) + bytes(LONGEST), BEGIN, BEGIN + place)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("488b5008", reads(AX, -1, 1, 8)),  # mov rdx,[rax+8]
        ("48891a", writes(DX, -1, 1, 0)),  # mov [rdx],rbx
        ("4889948be8030000", writes(BX, 1, 4, 1000)),  # mov [rbx+rcx*4+1000],rdx
        ("4d8924c4", writes(R12, AX, 8, 0)),  # mov [r12+rax*8],r12
        ("48890424", writes(SP, -1, 1, 0)),  # mov [rsp],rax
        ("48890510000000", writes(-1, -1, 1, BEGIN + 7 + 16)),  # mov [rip+16],rax
        ("833d1000000005", reads(-1, -1, 1, BEGIN + 7 + 16)),  # cmp [rip+16],5
        ("ff4508", writes(BP, -1, 1, 8)),  # inc DWORD PTR [rbp+8]
        ("f00fb137", atomic(DI, -1, 1, 0)),  # lock cmpxchg [rdi],esi
        ("8706", atomic(SI, -1, 1, 0)),  # xchg [rsi],eax
        ("0f1106", writes(SI, -1, 1, 0)),  # movups [rsi],xmm0
        ("0f1006", reads(SI, -1, 1, 0)),  # movups xmm0,[rsi]
    ],
)
def test_operand(text: str, found: Access) -> None:
    """Base, index, scale and offset; whether it is written to; whether atomically."""
    assert access(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "4889d8",  # mov rax,rbx
        "488d0424",  # lea rax,[rsp]
        "64488b042528000000",  # mov rax,fs:0x28
        "0f1f4000",  # nop
        "e800000000",  # call
        "c5f877",  # vzeroupper
    ],
)
def test_no_access(text: str) -> None:
    """Registers, addresses that are only computed, memory of the thread's own."""
    assert access(text) is None


def test_an_atomic_instruction_counts_when_the_thread_stands_behind_it() -> None:
    """It is not interrupted: the time that it took shows at the next one."""
    assert access(ADD_LOCKED + "488b4308", 6) == atomic(AX, -1, 1, 16)
    assert access(ADD_LOCKED + "488b4308c3", 10) is None  # one further, which is no access


def test_every_access_of_a_library_as_the_disassembler_has_it() -> None:
    """No instruction is read as having an operand that it has not, or the other way round."""
    path = next((p for p in LIBRARIES if os.path.exists(p)), None)  # noqa: PTH110 - a text
    if path is None or shutil.which("objdump") is None:
        pytest.skip("no library or no objdump")
    command = ["objdump", "-d", "-w", "-M", "intel", "-j.text", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = [INSTRUCTION.match(line) for line in done.stdout.splitlines()]
    checked = 0
    for line in filter(None, lines):
        name = line[3].split()[0]
        if SKIPPED.match(name) or re.search(r"\b[fgd]s:", line[3]):
            continue
        found = access(line[2])
        assert (found is not None) == ("[" in line[3]), line[0]
        checked += found is not None
    assert checked > 1000


LIBRARIES = ("/lib/x86_64-linux-gnu/libz.so.1", "/usr/lib64/libz.so.1", "/lib64/libz.so.1")
INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\s*((?:[0-9a-f]{2} )+)\s*(.*)")
SKIPPED = re.compile(r"lea|nop|prefetch|data16|cs$|endbr|v|rep|movs[bwlqd]?$|stos|bnd|notrack")


class Memory:
    """A process with one instruction, at `BEGIN`."""

    def read(self, address: int, size: int) -> bytes:
        """Return what stands there."""
        code = bytes(BEGIN - address) + bytes.fromhex(ADD_LOCKED)
        return code[:size].ljust(size, b"\0")


def samples(addresses: list[tuple[int, int]]) -> list[Sample]:
    """Return samples of threads at the instruction, by thread and address."""
    return [
        Sample(BEGIN, tid, time, (address - 16, *[0] * 15))
        for time, (tid, address) in enumerate(addresses, 1)
    ]


@pytest.fixture
def lines() -> Lines:
    """Lines of that process."""
    memory: Process = Memory()  # type: ignore[assignment]
    return Lines(memory)


def test_a_line_that_threads_write_to_in_turns_is_shared(lines: Lines) -> None:
    """Whether it is one variable or two that lie side by side."""
    found = lines.add(samples([(1, 6400), (2, 6408)] * 10))
    assert [(one.number, one.samples) for one in found] == [(6400 // LINE, Counter({1: 10, 2: 10}))]
    assert lines.all_samples(found[0], 1) == lines.all_samples(found[0], 2) == 10


def test_lines_of_their_own_are_not_shared(lines: Lines) -> None:
    """Each thread has a counter in a line of its own."""
    assert lines.add(samples([(1, 6400), (2, 6464)] * 10)) == []


def test_memory_that_one_thread_has_after_another_is_not_shared(lines: Lines) -> None:
    """As the stack of a thread that has ended, or an object that is handed over."""
    assert lines.add(samples([(1, 6400)] * 10 + [(2, 6400)] * 10)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_module_needs_the_standard_library_only(tmp_path: Path) -> None:
    """It runs in an interpreter that has nothing installed."""
    code = "import gilscope.target.sharing.shared_memory, sys; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
