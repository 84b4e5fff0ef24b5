"""What the dashboards ask: only what the exporter exposes, once however many exporters there are, and everything of it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.build.not_shown import NOT_SHOWN

from . import contract, promql
from .alert_rules import rules
from .queries import all_queries

DATA = Path(__file__).parent / "data"
ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}
FROM_PROMETHEUS = {"up"} | ALERTS | {rule.name for rule in rules() if not rule.alert}
"""Series that Prometheus makes by itself, or with our rules."""
TARGET_LABELS = {"job", "instance"}
"""Labels that Prometheus adds at the scrape."""
ALERT_LABELS = {"alertname", "alertstate", "severity"}

QUERIES = all_queries()
CLOSED_LABELS = yaml.safe_load((DATA / "closed_labels.yaml").read_text(encoding="utf-8"))
CONTRACT = contract.series()


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"{q.dashboard}: {q.place}")
def test_query_names_metrics_and_labels_of_the_contract(query: Any) -> None:
    available = set(TARGET_LABELS) | promql.made_labels(query.raw)
    for selector in promql.selectors(query.raw):
        assert selector.metric in CONTRACT or selector.metric in FROM_PROMETHEUS, selector.metric
        labels = CONTRACT.get(selector.metric, TARGET_LABELS)
        if selector.metric in ALERTS:
            labels = ALERT_LABELS | set().union(*CONTRACT.values())
        assert {name for name, _, _ in selector.matchers} <= labels | TARGET_LABELS, selector
        available |= labels
    assert promql.used_labels(query.raw) <= available
    assert set(query.labels) <= available


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"{q.dashboard}: {q.place}")
def test_query_asks_for_values_that_the_label_can_have(query: Any) -> None:
    for selector in promql.selectors(query.raw):
        for label, operator, value in selector.matchers:
            if label in CLOSED_LABELS and "$" not in value:
                values = value.split("|") if "~" in operator else [value]
                assert set(values) <= set(CLOSED_LABELS[label]), selector


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"{q.dashboard}: {q.place}")
def test_query_never_draws_not_known_as_zero(query: Any) -> None:
    assert not promql.functions(query.raw) & {"vector", "absent", "absent_over_time"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"{q.dashboard}: {q.place}")
def test_joins_are_on_ids(query: Any) -> None:
    """Names may repeat and change: nothing is joined on them."""
    for on in promql.join_labels(query.raw):
        assert "environment_name" not in on
        assert "flatfile_namespace" not in on


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: f"{q.dashboard}: {q.place}")
def test_flatfile_values_are_counted_once(query: Any) -> None:
    """Two exporters that watch one account must not make two of everything."""
    for selector in promql.selectors(query.raw):
        labels = CONTRACT.get(selector.metric, set())
        own = selector.metric.startswith(("flatfile_exporter_", "flatfile_up"))
        if "account" in labels and not own and "le" not in labels and query.kind == "panel":
            inside = [name for name in selector.around if name in ("sum", "max", "min", "count", "avg", "topk")]
            # of a ratio's last hour, a pair counts everything twice above and below the line
            assert inside[-1:] == ["max"] or (inside[-1:] == ["sum"] and selector.ranged == "1:00:00"), selector


def test_every_family_is_shown_or_has_a_reason_not_to_be() -> None:
    shown = {selector.metric for query in QUERIES for selector in promql.selectors(query.raw)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) if name in CONTRACT else name for name in shown}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in CONTRACT}
    assert families - shown == set(NOT_SHOWN)
    assert all(len(reason) > 20 for reason in NOT_SHOWN.values())
