"""Families become the bytes that Prometheus reads back, and what other readers read back."""

import ast
import itertools
import math
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

from exporter.exposition.families import Desc, Family, HistogramValue
from exporter.exposition.text import MAX_LABEL_VALUE, Format, Lines, join, lines
from tests.exposition.rendered import render

TEXT = Format.TEXT_0_0_4
OPENMETRICS = Format.OPENMETRICS_1_0

SPACES = Desc("flatfile_spaces", "gauge", "Spaces by state.", ("account", "state"))
EVENTS = Desc("flatfile_events_total", "counter", "Events since the start.", ("account",))
LAG = Desc("flatfile_agent_queue_lag_seconds", "histogram", "From event to run.", ("account",))

EVERY_TYPE = [
    Family(SPACES, [(("acme", "active"), 3), (("acme", "archived"), 0.5)]),
    Family(EVENTS, [(("acme",), 12)]),
    Family(LAG, [(("acme",), HistogramValue(((0.1, 1), (5.0, 2), (math.inf, 4)), 70.25))]),
    Family(Desc("flatfile_response_bytes_total", "counter", "Bytes.", ()), [((), 2.0**70)]),
]

NASTY = '"\\\n\r\t\0\v\f\x1b\x1c\x1d\x1e\x7f\x85\u2028\u2029\ufeff\ufffd\uffff{}=,# ü😀\U0010ffff'
any_text = st.text(
    st.one_of(st.sampled_from(NASTY), st.characters(exclude_categories=["Cs"])), max_size=MAX_LABEL_VALUE
)


def parse(page: bytes, fmt: Format) -> list[Metric]:
    reader = openmetrics_parser if fmt is OPENMETRICS else parser
    return list(reader.text_string_to_metric_families(page.decode()))


def gauge(labels: tuple[str, ...], *samples: tuple[tuple[str, ...], float], about: str = "Help.") -> Family:
    return Family(Desc("flatfile_x", "gauge", about, labels), list(samples))


def test_text_page() -> None:
    assert render(EVERY_TYPE, TEXT).body.decode() == (
        "# HELP flatfile_spaces Spaces by state.\n"
        "# TYPE flatfile_spaces gauge\n"
        'flatfile_spaces{account="acme",state="active"} 3\n'
        'flatfile_spaces{account="acme",state="archived"} 0.5\n'
        "# HELP flatfile_events_total Events since the start.\n"
        "# TYPE flatfile_events_total counter\n"
        'flatfile_events_total{account="acme"} 12\n'
        "# HELP flatfile_agent_queue_lag_seconds From event to run.\n"
        "# TYPE flatfile_agent_queue_lag_seconds histogram\n"
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="0.1"} 1\n'
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="5.0"} 2\n'
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="+Inf"} 4\n'
        'flatfile_agent_queue_lag_seconds_count{account="acme"} 4\n'
        'flatfile_agent_queue_lag_seconds_sum{account="acme"} 70.25\n'
        "# HELP flatfile_response_bytes_total Bytes.\n"
        "# TYPE flatfile_response_bytes_total counter\n"
        "flatfile_response_bytes_total 1.1805916207174113e+21\n"
    )


def test_openmetrics_page() -> None:
    assert render(EVERY_TYPE, OPENMETRICS).body.decode() == (
        "# TYPE flatfile_spaces gauge\n"
        "# HELP flatfile_spaces Spaces by state.\n"
        'flatfile_spaces{account="acme",state="active"} 3.0\n'
        'flatfile_spaces{account="acme",state="archived"} 0.5\n'
        "# TYPE flatfile_events counter\n"
        "# HELP flatfile_events Events since the start.\n"
        'flatfile_events_total{account="acme"} 12.0\n'
        "# TYPE flatfile_agent_queue_lag_seconds histogram\n"
        "# UNIT flatfile_agent_queue_lag_seconds seconds\n"
        "# HELP flatfile_agent_queue_lag_seconds From event to run.\n"
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="0.1"} 1.0\n'
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="5.0"} 2.0\n'
        'flatfile_agent_queue_lag_seconds_bucket{account="acme",le="+Inf"} 4.0\n'
        'flatfile_agent_queue_lag_seconds_count{account="acme"} 4.0\n'
        'flatfile_agent_queue_lag_seconds_sum{account="acme"} 70.25\n'
        "# TYPE flatfile_response_bytes counter\n"
        "# UNIT flatfile_response_bytes bytes\n"
        "# HELP flatfile_response_bytes Bytes.\n"
        "flatfile_response_bytes_total 1.1805916207174113e+21\n"
        "# EOF\n"
    )


def test_a_page_of_nothing() -> None:
    assert render([], TEXT) == (b"", 0)
    assert render([Family(SPACES)], TEXT) == (b"", 0)
    assert render([Family(SPACES)], OPENMETRICS) == (b"# EOF\n", 0)


@pytest.mark.parametrize(
    ("value", "text", "openmetrics_text"),
    [
        (0, "0", "0.0"),
        (1.0, "1", "1.0"),
        (-0.0, "-0", "-0.0"),
        (1795459074.77, "1795459074.77", "1795459074.77"),
        (10**15, "1000000000000000", "1000000000000000.0"),
        (1e16, "1e+16", "1e+16"),
        (5e-324, "5e-324", "5e-324"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
        (True, "1", "1.0"),
    ],
)
def test_numbers(value: float, text: str, openmetrics_text: str) -> None:
    family = gauge((), ((), value))
    assert f"\nflatfile_x {text}\n" in render([family], TEXT).body.decode()
    assert f"\nflatfile_x {openmetrics_text}\n" in render([family], OPENMETRICS).body.decode()


@pytest.mark.parametrize("fmt", Format)
def test_large_bucket_bounds_are_written_as_openmetrics_says(fmt: Format) -> None:
    buckets = ((1.0, 1), (1e6, 1), (2.5e7, 1), (math.inf, 1))
    page = render([Family(LAG, [(("acme",), HistogramValue(buckets, 1))])], fmt).body.decode()
    assert re.findall('le="(.*?)"', page) == ["1.0", "1e+06", "2.5e+07", "+Inf"]


# One block for each name


@pytest.mark.parametrize("fmt", Format)
def test_families_of_several_accounts_become_one_block_in_order_of_first_appearance(fmt: Format) -> None:
    page = render(
        [
            Family(SPACES, [(("acme", "active"), 1)]),
            Family(EVENTS, [(("acme",), 2)]),
            Family(SPACES, [(("beta", "active"), 3)]),
            Family(EVENTS, [(("beta",), 4)]),
        ],
        fmt,
    )
    lines = page.body.decode().splitlines()
    samples = [line.split("{")[0] for line in lines if not line.startswith("#")]
    assert samples == ["flatfile_spaces"] * 2 + ["flatfile_events_total"] * 2
    assert sum(line.startswith("# TYPE") for line in lines) == 2
    assert page.dropped == 0


@pytest.mark.parametrize(
    "other",
    [
        Desc("flatfile_spaces", "counter", SPACES.help, SPACES.labels),
        Desc("flatfile_spaces", "gauge", "Other help.", SPACES.labels),
        Desc("flatfile_spaces", "gauge", SPACES.help, ("state", "account")),
        Desc("flatfile_spaces_total", "counter", "One family with the gauge in OpenMetrics.", ("account",)),
    ],
)
def test_two_different_families_of_one_name_are_an_error(other: Desc) -> None:
    with pytest.raises(ValueError, match="flatfile_spaces"):
        render([Family(SPACES), Family(other)], TEXT)


def test_a_counter_without_total_is_an_error() -> None:
    with pytest.raises(ValueError, match="flatfile_events: the name must end in _total"):
        render([Family(Desc("flatfile_events", "counter", "Events.", ()), [((), 1)])], OPENMETRICS)


@pytest.mark.parametrize("fmt", Format)
def test_what_was_rendered_apart_becomes_one_block(fmt: Format) -> None:
    families = [Family(SPACES, [((name, "active"), 1)]) for name in ("acme", "beta")]
    families += [Family(EVENTS, [(("acme",), 2)])]
    apart: list[Lines] = [lines([family], fmt) for family in families]
    assert join(apart, fmt) == join([lines(families, fmt)], fmt)


def test_what_was_rendered_apart_must_agree_on_what_it_is() -> None:
    other = Desc("flatfile_spaces", "gauge", "Other help.", SPACES.labels)
    apart = [lines([Family(desc, [(("acme", "active"), 1)])], TEXT) for desc in (SPACES, other)]
    with pytest.raises(ValueError, match="flatfile_spaces"):
        join(apart, TEXT)


@pytest.mark.parametrize("fmt", Format)
def test_of_two_samples_of_one_series_the_first_counts(fmt: Format) -> None:
    once = gauge(("a",), (("x",), 1), (("y",), 2))
    twice = gauge(("a",), (("x",), 1), (("x",), 3), (("y",), 2))
    assert render([twice, gauge(("a",), (("y",), 4))], fmt) == (render([once], fmt).body, 2)


def test_of_two_histograms_of_one_series_the_first_counts() -> None:
    first = HistogramValue(((1.0, 1), (math.inf, 1)), 1)
    second = HistogramValue(((1.0, 2), (math.inf, 2)), 2)
    page = render([Family(LAG, [(("acme",), first), (("acme",), second)])], TEXT)
    assert page == (render([Family(LAG, [(("acme",), first)])], TEXT).body, 1)


# Any text comes back


@pytest.mark.parametrize("fmt", Format)
@settings(deadline=None)
@given(values=st.lists(st.tuples(any_text, any_text), unique=True), number=st.floats())
def test_label_values_and_numbers_read_back(fmt: Format, values: list[tuple[str, str]], number: float) -> None:
    page = render([gauge(("a", "b"), *((pair, number) for pair in values))], fmt)
    metrics = parse(page.body, fmt)
    assert page.dropped == 0
    samples = [sample for metric in metrics for sample in metric.samples]
    assert [(sample.labels["a"], sample.labels["b"]) for sample in samples] == values
    assert all(same(sample.value, number) for sample in samples)


@pytest.mark.parametrize("fmt", Format)
@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 2**40), min_size=1, max_size=6),
    bounds=st.lists(st.floats(1e-6, 1e12), min_size=6, max_size=6, unique=True),
    total=st.floats(0, 1e300),
)
def test_histograms_read_back(fmt: Format, counts: list[int], bounds: list[float], total: float) -> None:
    upper = [*sorted(bounds)[: len(counts) - 1], math.inf]
    buckets = tuple(zip(upper, itertools.accumulate(counts), strict=True))
    [metric] = parse(render([Family(LAG, [(("a\n",), HistogramValue(buckets, total))])], fmt).body, fmt)
    assert (metric.name, metric.type) == (LAG.name, "histogram")
    found = {(s.name.removeprefix(LAG.name), s.labels.get("le", "")): s.value for s in metric.samples}
    assert [(float(le), n) for (name, le), n in found.items() if name == "_bucket"] == list(buckets)
    assert found["_count", ""] == buckets[-1][1]
    assert found["_sum", ""] == total
    assert all(sample.labels["account"] == "a\n" for sample in metric.samples)


@pytest.mark.parametrize("fmt", Format)
@given(st.text())
def test_a_page_is_never_torn_by_help(fmt: Format, about: str) -> None:
    assert render([gauge((), ((), 1), about=about)], fmt).body.count(b"\n") == (4 if fmt is OPENMETRICS else 3)


@pytest.mark.parametrize(("fmt", "quote"), [(TEXT, '"'), (OPENMETRICS, r"\"")])
def test_help_is_escaped(fmt: Format, quote: str) -> None:
    page = render([gauge((), ((), 1), about='a\\b\n"c\\"\ud800')], fmt).body.decode()
    assert rf"# HELP flatfile_x a\\b\n{quote}c\\{quote}" + "\ufffd\n" in page


@pytest.mark.parametrize("fmt", Format)
def test_a_lone_surrogate_is_replaced_and_what_became_equal_is_dropped(fmt: Format) -> None:
    page = render([gauge(("a",), (("x\ud800",), 1), (("x\udfff",), 2), (("x",), 3))], fmt)
    [metric] = parse(page.body, fmt)
    assert [(s.labels["a"], s.value) for s in metric.samples] == [("x\ufffd", 1), ("x", 3)]
    assert page.dropped == 1


@pytest.mark.parametrize("fmt", Format)
def test_a_long_label_value_is_cut_and_an_id_is_not(fmt: Format) -> None:
    family = gauge(("environment_id", "environment_name"), (("i" * 300, "é" * 300), 1), (("i", "n" * 200), 2))
    rendered = lines([family, family], fmt)
    [metric] = parse(join([rendered], fmt), fmt)
    assert [(s.labels, s.value) for s in metric.samples] == [
        ({"environment_id": "i" * 300, "environment_name": "é" * (MAX_LABEL_VALUE - 1) + "…"}, 1),
        ({"environment_id": "i", "environment_name": "n" * 200}, 2),
    ]
    assert rendered.truncated == 1, "different values are counted"


@pytest.mark.parametrize("fmt", Format)
def test_values_that_become_one_by_cutting_are_one_series(fmt: Format) -> None:
    page = render([gauge(("a",), (("x" * 300,), 1), (("x" * 301,), 2))], fmt)
    [metric] = parse(page.body, fmt)
    assert [s.value for s in metric.samples] == [1]
    assert page.dropped == 1


@given(st.text(min_size=190, max_size=210))
def test_a_cut_value_has_at_most_200_characters(value: str) -> None:
    [metric] = parse(render([gauge(("a",), ((value,), 1))], OPENMETRICS).body, OPENMETRICS)
    [written] = [sample.labels["a"] for sample in metric.samples]
    assert len(written) == min(len(value), MAX_LABEL_VALUE)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


# Prometheus itself


NASTY_VALUES = list(dict.fromkeys([*NASTY, *(a + b for a in NASTY for b in '"\\\n\rn'), "", NASTY]))


def nasty_page(fmt: Format) -> bytes:
    return render([gauge(("value",), *(((value,), n) for n, value in enumerate(NASTY_VALUES, 1)))], fmt).body


def test_promtool_has_nothing_to_say() -> None:
    page = render(EVERY_TYPE, TEXT).body + nasty_page(TEXT)
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_reads_openmetrics_back(tmp_path: Path) -> None:
    page = nasty_page(OPENMETRICS)
    # Only samples with a time can be imported.
    lines = [line if line.startswith(b"#") else line + b" 1700000000" for line in page.split(b"\n")[:-1]]
    (tmp_path / "page").write_bytes(b"\n".join([*lines, b""]))
    (tmp_path / "tsdb" / "wal").mkdir(parents=True)
    promtool = ["promtool", "tsdb"]
    subprocess.run([*promtool, "create-blocks-from", "openmetrics", tmp_path / "page", tmp_path / "tsdb"], check=True)
    dump = subprocess.run([*promtool, "dump", tmp_path / "tsdb"], check=True, capture_output=True).stdout.decode()
    # Each line is {__name__="flatfile_x", value=…} number time, with the value as a Go string, which reads as a Python one.
    found = {}
    for line in dump.split("\n")[:-1]:
        match = re.fullmatch(r'\{__name__="flatfile_x"(?:, value=(".*"))?\} (\d+) 1700000000000', line)
        assert match, line
        found[ast.literal_eval(match[1] or '""')] = int(match[2])
    assert found == {value: n for n, value in enumerate(NASTY_VALUES, 1)}
