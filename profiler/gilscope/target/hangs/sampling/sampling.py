"""The samples of the recordings of one process: begun before each, and added to its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gilscope.target.hangs.sampling.sampler import Sampler
from gilscope.target.hangs.trace_file import SAMPLES, add_chunk

if TYPE_CHECKING:
    from gilscope.target.hangs.channel import Channel


class Sampling:
    """Samples one process, by a sampler a recording."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._sampler: Sampler | None = None
        self._turn = 0
        self._path = ""  # of the trace, once it is recorded

    @property
    def runs(self) -> bool:
        """Whether there is a sampler."""
        return self._sampler is not None

    def prepare(self) -> None:
        """While no recording runs: end the last one's sampler, begin that of the next one."""
        wanted = self._channel.wanted
        if wanted != self._turn:
            self.end()
            config = self._channel.config() if wanted else {}
            if "sample" in config:
                self._start(config, wanted)
        if self._sampler is not None and self._sampler.ready:
            self._channel.put_ready(wanted)

    def begin(self, config: dict[str, Any], turn: int) -> None:
        """A recording has begun."""
        if turn != self._turn:
            self.end()
        if "sample" not in config:
            return
        if self._sampler is None:
            self._start(config, turn)
        self._path = str(config["path"])

    def _start(self, config: dict[str, Any], turn: int) -> None:
        self._sampler, self._turn = Sampler(self._channel.pid, config["sample"]), turn

    def look(self) -> None:
        """See to it that the sampler has not ended."""
        if self._sampler is not None:
            self._sampler.look()

    def end(self) -> None:
        """End the sampler; add the samples of a recording to its trace."""
        sampler, path, turn = self._sampler, self._path, self._turn
        self._sampler, self._path, self._turn = None, "", 0
        if sampler is None:
            return
        payload = sampler.finish()
        if path:
            add_chunk(path, self._channel.pid, SAMPLES, payload)
            self._channel.put_sampled(turn)
