"""One watch for races: what the interpreter is asked to tell, from begin to end."""

from __future__ import annotations

import contextlib
import sys
import threading
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from gilscope.errors import ProbeError
from gilscope.race import DEFAULT_MAX_VARIABLES, Races
from gilscope.target.monitoring import take_tool
from gilscope.target.one_watch import Claim, name_of
from gilscope.target.races import classify, declared, naming, scope
from gilscope.target.races.ordering import Ordering

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOOL_NAME = "gilscope races"
PART = (
    "gilscope: the whole program is being watched for races: those of this block of "
    "gilscope.races() are in its report"
)
CLAIM = Claim("races are being watched for already")


class Watch:
    """Begins and ends a watch; one at a time in a process.

    Attributes:
        running: The one that runs, if any.
    """

    running: Watch | None = None

    def __init__(
        self,
        *,
        packages: Sequence[str] = (),
        only: bool = False,
        max_variables: int = DEFAULT_MAX_VARIABLES,
        suspected: bool = False,
        everything: bool = False,
        plans: Sequence[Sequence[Sequence[Any]]] = (),
        is_of_program: bool = True,
    ) -> None:
        """Watch the program's own code, and that of ``packages``.

        Args:
            packages: Names of packages below the standard library or site-packages to watch too.
            only: Watch nothing but the packages.
            max_variables: The most variables to remember.
            suspected: Report also what only chance ordered.
            everything: Report also what is written and read without order and nothing more.
            plans: Where to hold threads so that races happen: the fields of `CodePlace`, without
                its line.
            is_of_program: Whether it is one of a whole program, and not of a block in one.
        """
        self.is_of_program = is_of_program
        self.plans = tuple(tuple(map(tuple, plan)) for plan in plans)
        self.packages = tuple(packages)
        self.only = only
        self.max_variables = max_variables
        self.suspected = suspected
        self.everything = everything
        self.raised: list[str] = []
        self.subjects: dict[int, naming.Subject] = {}
        self.tool = -1
        self.helpers = frozenset(scope.helpers())

    def begin(self) -> None:
        """Begin to watch.

        Raises:
            ProbeError: The watch cannot begin, and why.
            UsageError: There is no such package.
        """
        from gilscope import _races  # noqa: PLC0415 - loaded by those who use it

        self.native = _races
        recording = sys.modules.get("gilscope.target.recording.session")
        if recording is not None and recording.running():
            raise ProbeError(
                "this process is being recorded (gilscope run, gilscope.profile): end that first, "
                "or begin to record when the watch for races has begun"
            )
        inside = [folder for name in self.packages for folder in scope.package(name)]
        helpers = [] if self.only else [*scope.helpers(), *scope.helper_functions()]
        CLAIM.take()
        with contextlib.ExitStack() as undo:
            undo.callback(CLAIM.give)
            self._begin(undo, [*inside, *helpers])
            undo.pop_all()

    def _begin(self, undo: contextlib.ExitStack, inside: list[str]) -> None:
        """Begin step by step; ``undo`` puts back what was done when a step fails."""
        native = self.native
        self.ordering = Ordering(native)
        self.tool = take_tool(TOOL_NAME)
        undo.callback(sys.monitoring.free_tool_id, self.tool)
        outside = [""] if self.only else scope.outside()
        try:
            native.begin(
                sys.monitoring.DISABLE,
                self._watch_code,
                self._describe,
                outside,
                inside,
                self.max_variables,
                self.everything,
                self.suspected,
                self.plans,
            )
        except RuntimeError as error:
            raise ProbeError(str(error)) from None
        undo.callback(native.drop)
        undo.callback(self._stop)
        native.name_thread(name_of(threading.current_thread()))
        self.ordering.install()
        declared.declare_all(native)
        self._listen()
        if self.plans:
            self._note_exceptions()
        Watch.running = self

    def end(self) -> Races:
        """Put everything back and return what was found; a forked child is left as it is."""
        if not CLAIM.ours:
            return Races()
        try:
            return self._end()
        finally:
            Watch.running = None
            CLAIM.give()

    def _stop(self) -> None:
        """End what the interpreter tells and put the methods back."""
        monitoring = sys.monitoring
        monitoring.set_events(self.tool, 0)
        for event in (monitoring.events.PY_START, monitoring.events.PY_RESUME):
            monitoring.register_callback(self.tool, event, None)
        self.ordering.remove()
        self.native.end()
        for code in self.native.codes():
            monitoring.set_local_events(self.tool, code, 0)
        monitoring.register_callback(self.tool, monitoring.events.INSTRUCTION, None)

    def _end(self) -> Races:
        self._stop()
        sys.monitoring.free_tool_id(self.tool)
        found = Races(counts=self.native.counts(), not_watched=self.ordering.missing)
        found.notes = self.ordering.shares.notes()
        found.meetings, found.raised = self.native.meetings(), self.raised
        found.races = classify.races(
            self.native.found(),
            self.subjects,
            self.native.locks(),
            in_scope=_Scope(self).holds,
            everything=self.everything,
            suspected=self.suspected,
        )
        self.native.drop()
        return found

    def _note_exceptions(self) -> None:
        """Know of exceptions that end threads; this process runs for nothing but the races."""
        hook = threading.excepthook

        def note(raised: threading.ExceptHookArgs) -> None:
            name = raised.thread.name if raised.thread else "a thread"
            kind = raised.exc_type.__name__
            self.raised.append(f"{name}: {kind}: {raised.exc_value}")
            hook(raised)

        threading.excepthook = note

    def _listen(self) -> None:
        monitoring = sys.monitoring
        events = monitoring.events
        monitoring.restart_events()  # what another watch has switched off
        monitoring.register_callback(self.tool, events.PY_START, self.native.on_start)
        monitoring.register_callback(self.tool, events.PY_RESUME, self.native.on_start)
        monitoring.register_callback(self.tool, events.INSTRUCTION, self.native.make_callback())
        self._note_names()
        monitoring.set_events(self.tool, events.PY_START | events.PY_RESUME)
        for frame in sys._current_frames().values():  # noqa: SLF001 - there is no public name
            each = frame
            while each is not None:
                self.native.add_code(each.f_code)
                each = each.f_back  # type: ignore[assignment]

    def _note_names(self) -> None:
        """Know which globals the functions of loaded modules store."""
        holds = _Scope(self).holds
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType) or not holds(str(vars(module).get("__file__"))):
                continue
            for value in list(vars(module).values()):
                functions = vars(value).values() if isinstance(value, type) else (value,)
                for function in list(functions):
                    if isinstance(function, FunctionType):
                        self.native.note_names(function.__code__)

    def _watch_code(self, code: CodeType, again: bool = False) -> None:  # noqa: FBT001, FBT002
        """Have all instructions of a code object reported; ``again``: those, too, that were not."""
        if again:
            sys.monitoring.set_local_events(self.tool, code, 0)
        sys.monitoring.set_local_events(self.tool, code, sys.monitoring.events.INSTRUCTION)

    def _describe(self, numbers: tuple[int, ...], thing: object, kind: int, key: object) -> None:
        frame = sys._getframe(1)  # noqa: SLF001 - the program's
        is_library = frame.f_code.co_filename in self.helpers
        subject = naming.describe(thing, kind, key, frame, is_library=is_library)
        for number in numbers:
            self.subjects[number] = subject


class _Scope:
    """Whether a file is the program's, as the native half decides."""

    def __init__(self, watch: Watch) -> None:
        self.inside = tuple(folder for name in watch.packages for folder in scope.package(name))
        self.outside = ("",) if watch.only else tuple(scope.outside())

    def holds(self, file: str) -> bool:
        return file.startswith(self.inside) or not file.startswith(self.outside)


@contextlib.contextmanager
def watching(*, is_of_program: bool = False, **options: Any) -> Iterator[Races]:
    """Watch for races while the block runs; what it gives is filled when the block ends.

    Within `gilscope races` it stays empty: the report of the whole program has the block's races.
    """
    if Watch.running is not None and Watch.running.is_of_program and CLAIM.ours:
        print(PART, file=sys.stderr)  # noqa: T201 - for who runs the program
        yield Races()
        return
    watch = Watch(**options, is_of_program=is_of_program)
    watch.begin()
    found = Races()
    try:
        yield found
    finally:
        vars(found).update(vars(watch.end()))
