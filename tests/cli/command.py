"""A command run in the test's own process: all that it does and prints, without a start of Python."""

import contextlib
import io
import logging
import subprocess
from collections.abc import Iterator

from exporter.cli.main import main


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, as `tests.e2e.process.run` does; not `serve` or `audit`, which handle signals."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with _logging_as_before(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as end:  # bad flags
            status = 1 if isinstance(end.code, str) else end.code or 0
    return subprocess.CompletedProcess(arguments, status, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextlib.contextmanager
def _logging_as_before() -> Iterator[None]:
    loggers = [
        logging.getLogger(),
        logging.getLogger("exporter"),  # which may be there no more than as the parent of others
        *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)),
    ]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers, propagate in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate = propagate
