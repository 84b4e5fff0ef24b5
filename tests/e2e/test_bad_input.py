"""Answers that no API should give, to the real process: it stays up, says why, shows nothing wrong, and stays small.

The rest of them are in `tests/matrix`, each at every endpoint.
"""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.accounts import SECRET
from tests.serving import account_lines, configuration
from tests.simulator.faults import Disconnect, Fault, HugeBody, NotJson, Status
from tests.simulator.server import SimulatedServer

from .process import Exporter, eventually, serving

MEBIBYTE = 1 << 20
LISTS = ("/environments", "/spaces", "/agents", "/users", "/guests", "/events")
KNOWN = ("flatfile_users", "flatfile_environments", "flatfile_spaces", "flatfile_agents", "flatfile_guests")
HUGE = 300_000_000


def samples(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(page)
        for sample in family.samples
    }


def reasons(page: str, collector: str) -> set[str]:
    """The reasons for which the collector has failed so far."""
    return {
        dict(labels)["reason"]
        for (name, labels), number in samples(page).items()
        if name == "flatfile_exporter_collector_errors_total" and number and ("collector", collector) in labels
    }


def asked_in_vain(running: Exporter, before: str, reason: str) -> None:
    """The page of now: every collector failed for this reason, and what was known before is as it was."""
    page = running.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="60").text  # a busy machine takes its time
    for collector in ("environments", "users", "agents", "spaces"):
        assert reason in reasons(page, collector)
    now = samples(page)
    for key, number in samples(before).items():
        if key[0] in KNOWN:
            assert now[key] == number
    assert running.get("/-/healthy").status_code == 200
    assert "Traceback" not in running.text
    assert SECRET not in running.text + page + running.page("/")


# Every scrape asks for everything; each list is one request or a few.
EAGER = """\
requests: {timeout: 20s, per_second: 1000, retries: 1}
collectors:
  environments: {interval: 0s}
  spaces: {interval: 0s}
  agents: {interval: 0s}
  users: {interval: 0s}
  guests: {interval: 0s}
"""


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (NotJson(b"[" * 100_000), "bad_response"),
        (Disconnect(), "connection"),
        (Status(429, 3600), "rate_limited"),
        (HugeBody(HUGE, declared=True), "too_large"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, Fault) else value,
)
def test_bad_answers(api: SimulatedServer, tmp_path: Path, fault: Fault, reason: str) -> None:
    more = EAGER
    if isinstance(fault, HugeBody):  # a page that is too large is asked for again in smaller ones, ten times
        more = more.replace("retries: 1", "retries: 1, max_response_bytes: 4MiB")
    with serving(configuration(account_lines("acme", api.base_url), more=more), tmp_path) as running:
        before = running.page()
        assert {key[0] for key in samples(before)} >= set(KNOWN) - {"flatfile_guests"}
        for path in LISTS:
            api.call(api.faults.add, path, fault)
        asked_in_vain(running, before, reason)
        running.page()
        # at most 64 MiB are allowed for one answer, four at a time; the process itself takes about 40
        assert running.peak_bytes < 400 * MEBIBYTE
        eventually(lambda: running.resident_bytes < 100 * MEBIBYTE, "an answer that cannot be used is not kept")
        assert not api.forbidden_requests


def test_a_huge_answer_is_cut_off_at_the_limit(api: SimulatedServer, tmp_path: Path) -> None:
    more = EAGER.replace("retries: 1", "retries: 1, max_response_bytes: 1MiB")
    with serving(configuration(account_lines("acme", api.base_url), more=more), tmp_path) as running:
        before = running.page()
        usual = running.peak_bytes
        for path in LISTS:
            api.call(api.faults.add, path, HugeBody(HUGE))
        asked_in_vain(running, before, "too_large")
        assert running.peak_bytes < usual + 30 * MEBIBYTE


def test_a_token_that_ends_early_is_replaced_and_nothing_is_lost(api: SimulatedServer, tmp_path: Path) -> None:
    with serving(configuration(account_lines("acme", api.base_url), more=EAGER), tmp_path) as running:
        before = running.page()
        api.call(api.invalidate_tokens)
        after = running.page()
        assert api.count("/auth") == 2
        for collector in ("environments", "users", "agents", "spaces", "events"):
            assert reasons(after, collector) == set()
        assert samples(after)[("flatfile_users", frozenset({("account", "acme")}))] == 5
        assert {key[0] for key in samples(after)} >= {key[0] for key in samples(before)}


def test_credentials_that_are_withdrawn(api: SimulatedServer, tmp_path: Path) -> None:
    with serving(configuration(account_lines("acme", api.base_url), more=EAGER), tmp_path) as running:
        before = running.page()
        api.call(api.set_credentials, "other", "other")
        api.call(api.invalidate_tokens)
        asked_in_vain(running, before, "unauthorized")
        tries = api.count("/auth")
        for _ in range(5):
            running.page()
        assert api.count("/auth") == tries, "refused credentials are not tried again at once"
