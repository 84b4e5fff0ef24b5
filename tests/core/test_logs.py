"""One line a record, whatever it holds, and only what was asked for."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.logs import LEVELS, JSONFormatter, LogfmtFormatter, LogFormat, configure, fields

LIBRARIES = ["uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "httpx", "httpcore.http11", "asyncio"]
LOG = logging.getLogger("exporter.account.account")


def parse_logfmt(line: str) -> dict[str, str]:
    """A logfmt line as the text of each key; an AssertionError for anything that is none."""
    pairs: dict[str, str] = {}
    at = 0
    pair = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)(?: |$)')
    while at < len(line):
        match = pair.match(line, at)
        assert match, line[at:]
        key, value = match.groups()
        assert key not in pairs
        pairs[key] = json.loads(value) if value.startswith('"') else value
        at = match.end()
    return pairs


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Put back what `configure` changes in the process."""
    names = ["exporter", *LIBRARIES, "uvicorn", "httpcore"]
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    before = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def configured(level: str = "info", fmt: LogFormat = "logfmt") -> io.StringIO:
    stream = io.StringIO()
    configure(level, fmt, stream)
    return stream


def record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    made = LOG.makeRecord(
        "exporter.account.account", logging.WARNING, "/x/account.py", 42, message, args, None, extra=extra
    )
    made.created = 1795459074.0625
    return made


def test_a_logfmt_line() -> None:
    made = record("refresh %s", "failed", **fields(account="acme", status=503, retry=True, took=0.5, url=None))
    assert LogfmtFormatter().format(made) == (
        'time=2026-11-23T18:37:54.062Z level=WARN source=account.py:42 msg="refresh failed"'
        " account=acme status=503 retry=true took=0.5"
    )


def test_a_json_line() -> None:
    made = record("refresh %s", "failed", **fields(account="ä", status=503, retry=True, took=0.5, url=None))
    assert JSONFormatter().format(made) == (
        '{"time": "2026-11-23T18:37:54.062Z", "level": "WARN", "source": "account.py:42", "msg": "refresh failed",'
        ' "account": "\\u00e4", "status": 503, "retry": true, "took": 0.5}'
    )


def test_the_source_is_the_caller() -> None:
    stream = configured()
    LOG.warning("here")
    assert parse_logfmt(stream.getvalue().strip())["source"].startswith("test_logs.py:")


def test_times_are_utc_wherever_it_runs() -> None:
    program = (
        "import logging; from exporter.core.logs import LogfmtFormatter;"
        "record = logging.makeLogRecord({'created': 1795459074.0625, 'levelno': 30});"
        "print(LogfmtFormatter().format(record))"
    )
    done = subprocess.run([sys.executable, "-c", program], env={"TZ": "Asia/Tokyo"}, capture_output=True, check=True)
    assert done.stdout.startswith(b"time=2026-11-23T18:37:54.062Z ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("/v1/spaces?a&b", "/v1/spaces?a&b"),
        ("größer", "größer"),
        ("😀", "😀"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("a\nb\r\tc", r'"a\nb\r\tc"'),
        ("\x00\x1b[31m\x7f\x85", r'"\u0000\u001b[31m\u007f\u0085"'),
        ("\u2028\u202e\ufeff\xa0", r'"\u2028\u202e\ufeff\u00a0"'),
        ("\ud800", r'"\ud800"'),
        (float("nan"), "nan"),
        (False, "false"),
        (ValueError("bad thing"), '"bad thing"'),
    ],
)
def test_a_value_in_logfmt(value: object, written: str) -> None:
    assert LogfmtFormatter().format(record("m", **fields(key=value))).endswith(f' msg="m" key={written}')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), ValueError("bad"), ["a"], "\ud800\u2028"])
def test_what_json_has_no_word_for_is_text(value: object) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(constant)

    line = JSONFormatter().format(record("m", **fields(key=value)))
    assert json.loads(line, parse_constant=refuse)["key"] == str(value)


@pytest.mark.parametrize("name", ["time", "level", "source", "msg", "exception", "stack"])
def test_a_field_never_takes_the_place_of_what_each_line_has(name: str) -> None:
    for formatter in (LogfmtFormatter(), JSONFormatter()):
        line = formatter.format(record("the message", **fields(**{name: "mine"})))
        pairs = parse_logfmt(line) if isinstance(formatter, LogfmtFormatter) else json.loads(line)
        assert pairs["msg"] == "the message"
        assert pairs[f"{name}_"] == "mine"


values = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary())
keys = st.one_of(st.text(), st.sampled_from(["msg", "a b", "a=b", "time", "", '"', "\n", "a\u2028b"]))


@given(st.text(), st.dictionaries(keys, values))
def test_any_record_is_one_line_that_reads_back(message: str, extra: dict[str, object]) -> None:
    made = record("%s", message, **fields(**extra))
    line = LogfmtFormatter().format(made)
    assert line.splitlines() == [line]
    assert line.isprintable()
    pairs = parse_logfmt(line)
    assert pairs["msg"] == message
    as_json = JSONFormatter().format(made)
    assert as_json.splitlines() == [as_json]
    loaded = json.loads(as_json)
    assert loaded["msg"] == message
    assert list(loaded) == list(pairs)


@given(st.dictionaries(st.from_regex("field_[a-z]+", fullmatch=True), values))
def test_any_field_reads_back(extra: dict[str, object]) -> None:
    pairs = parse_logfmt(LogfmtFormatter().format(record("m", **fields(**extra))))
    booleans = {True: "true", False: "false"}
    expected = {
        name: booleans[value] if isinstance(value, bool) else str(value)
        for name, value in extra.items()
        if value is not None
    }
    assert {name: pairs[name] for name in pairs if name not in ("time", "level", "source", "msg")} == expected


@pytest.mark.parametrize("fmt", ["logfmt", "json"])
def test_an_exception_is_one_field_of_the_line(fmt: LogFormat) -> None:
    stream = configured(fmt=fmt)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        LOG.exception("it broke", extra=fields(account="acme"), stack_info=True)
    [line] = stream.getvalue().splitlines()
    pairs = parse_logfmt(line) if fmt == "logfmt" else json.loads(line)
    assert pairs["level"] == "ERROR"
    assert pairs["account"] == "acme"
    assert pairs["exception"].startswith("Traceback (most recent call last):\n")
    assert pairs["exception"].endswith("ValueError: first\nsecond")
    assert "test_logs.py" in pairs["stack"]


def test_no_exception_is_no_field() -> None:
    stream = configured()
    LOG.error("it broke", exc_info=True)
    assert "exception" not in parse_logfmt(stream.getvalue().strip())


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["DEBUG", "INFO", "WARN", "ERROR", "ERROR"]),
        ("info", ["INFO", "WARN", "ERROR", "ERROR"]),
        ("warn", ["WARN", "ERROR", "ERROR"]),
        ("error", ["ERROR", "ERROR"]),
    ],
)
def test_levels(level: str, heard: list[str]) -> None:
    stream = configured(level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        LOG.log(number, "m")
    assert [parse_logfmt(line)["level"] for line in stream.getvalue().splitlines()] == heard


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown log level 'warning': it is one of debug, info, warn, error"):
        configure("warning", "logfmt", sys.stderr)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("library", [*LIBRARIES, "httpx", "httpcore.connection", "someone.else"])
def test_libraries_are_heard_from_warning_up_only(library: str, level: str) -> None:
    # As uvicorn and others leave their loggers: a level and a handler of their own, and no way up.
    logger = logging.getLogger(library)
    if library in LIBRARIES:
        logger.setLevel(logging.DEBUG if library != "httpcore.http11" else logging.NOTSET)
    stream = configured(level)
    logger.debug("GET https://host/v1/spaces")
    logger.info("GET https://host/v1/spaces")
    assert stream.getvalue() == ""
    logger.warning("careful")
    logger.error("broken")
    heard = [parse_logfmt(line)["msg"] for line in stream.getvalue().splitlines()]
    assert heard == (["broken"] if level == "error" else ["careful", "broken"])


def test_uvicorn_writes_through_our_formatter(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(*_: object) -> None:
        raise NotImplementedError

    # Its own set-up first, with handlers of its own: ours replaces them.
    uvicorn.Config(app)
    stream = configured()
    uvicorn.Config(app, log_config=None, log_level=None)
    logging.getLogger("uvicorn.error").warning("careful")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.access").info("GET /metrics")
    [line] = stream.getvalue().splitlines()
    assert parse_logfmt(line)["msg"] == "careful"
    assert capsys.readouterr() == ("", "")


def test_configuring_again_replaces_the_first_time() -> None:
    first = configured()
    second = configured("error", "json")
    LOG.warning("not heard")
    LOG.error("heard")
    assert first.getvalue() == ""
    [line] = second.getvalue().splitlines()
    assert json.loads(line)["msg"] == "heard"
