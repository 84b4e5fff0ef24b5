"""Progress: one line on a terminal, nothing anywhere else, and never in the way of the log."""

import io

from exporter.audit.progress import Progress
from exporter.core.progress_line import CLEAR


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_has_come() -> None:
    terminal, now = Terminal(), [0.0]
    progress = Progress(terminal, lambda: now[0])
    progress.request("/events", "200", 0.1, 100)
    now[0] += 1
    progress.wrote(1234, 1763628900.0)
    assert terminal.getvalue().split(CLEAR)[-1] == (
        "1 requests, 0 events read, 1,234 written, up to 2025-11-20T08:55:00.000Z"
    )


def test_it_is_not_drawn_more_often_than_anybody_can_read() -> None:
    terminal = Terminal()
    progress = Progress(terminal, lambda: 0.0)
    for _ in range(1000):
        progress.request("/events", "200", 0.1, 100)
    assert terminal.getvalue().count(CLEAR) == 1


def test_the_log_is_written_above_it() -> None:
    terminal = Terminal()
    progress = Progress(terminal, lambda: 0.0)
    progress.request("/events", "200", 0.1, 100)
    progress.write("a line of the log\n")
    assert terminal.getvalue().endswith(f"{CLEAR}a line of the log\n")


def test_what_is_no_terminal_sees_the_log_alone() -> None:
    stream = io.StringIO()
    progress = Progress(stream, lambda: 0.0)
    progress.request("/events", "200", 0.1, 100)
    progress.wrote(1, 0.0)
    progress.write("a line\n")
    progress.clear()
    assert stream.getvalue() == "a line\n"
