"""Let the threads of a native library log to Python's logging while they compute.

Prints the checksum of the computation and the number of records that arrived.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os

MODULES = {"pybind11": "native_logging", "boost": "native_logging_boost"}


class LoggingLogger:
    """Forwards each record of the native library to a logger of Python's logging."""

    target: logging.Logger

    def log(self, level: int, message: str) -> None:
        """Take one record; native threads call this, several at a time."""
        self.target.log(level, message)


def memory_logger(stream: io.StringIO) -> logging.Logger:
    """Make a logger that formats every record and writes it to ``stream`` only."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)-5s %(name)s: %(message)s"))
    logger = logging.getLogger("mandelbrot")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers = [handler]
    return logger


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def parse() -> argparse.Namespace:
    """Parse the command line."""
    threads = os.environ.get("GILSCOPE_THREADS") or str(max(4, min(8, os.cpu_count() or 1)))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--threads", type=positive, default=threads, help="native threads")
    add("--records", type=positive, default=10000, help="rows to compute; each logs one record")
    add("--work", type=positive, default=100, help="points to compute between two records")
    add("--batch", type=positive, default=1, help="records a GIL acquire")
    add("--binding", choices=MODULES, default="pybind11", help="what the library is bound with")
    return parser.parse_args()


def main() -> None:
    """Compute, log, and say what came of it."""
    options = parse()
    native_logging = importlib.import_module(MODULES[options.binding])

    class Logger(LoggingLogger, native_logging.Logger):  # type: ignore[misc]
        """The native library's class of that binding, with Python's method."""

    logger = Logger()
    stream = io.StringIO()
    logger.target = memory_logger(stream)
    checksum = native_logging.render(
        logger,
        rows=options.records,
        columns=options.work,
        threads=options.threads,
        batch=options.batch,
    )
    print(f"checksum {checksum:016x}  records {stream.getvalue().count('\n')}")


if __name__ == "__main__":
    main()
