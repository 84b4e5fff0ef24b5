"""The landing page: what it says at a glance, and that nothing in it can be anything but text."""

import base64
import hashlib
import itertools
import re
from collections.abc import Iterable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.account.account import Status
from exporter.account.refresh import Failure, Outcome
from exporter.flatfile.errors import (
    ADVICE,
    REASONS,
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    Forbidden,
    ServerError,
    Unauthorized,
)
from exporter.web.landing_page import MAX_WARNINGS, SECURITY_HEADERS, STYLE, Shown, landing

NOW = 1_795_459_074.0  # 2026-11-23T18:37:54Z
AGES = {"spaces": 900.0, "users": 900.0, "agents": 900.0}
VOID = {"meta", "link"}


class Page(HTMLParser):
    """The page as elements: an AssertionError where an element is left open, closed twice or not known."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("style", "title"))


def works(collector: str, *, ago: float = 10.0, due_in: float = 50.0) -> Status:
    return Status(collector, Outcome(True, True, 0.25, NOW - ago, ()), NOW - ago, False, due_in)


def fails(collector: str, *errors: FlatfileError, reached: bool = False, success_ago: float | None = None) -> Status:
    last = None if success_ago is None else NOW - success_ago
    return Status(collector, Outcome(False, reached, 1.5, NOW - 5, errors), last, False, 0.0)


def waits(collector: str, *, running: bool = False) -> Status:
    return Status(collector, None, None, running, 0.0)


def page(*accounts: Shown, reload_failed: bool = False) -> Page:
    return Page(landing(accounts, "/metrics", NOW, reload_failed=reload_failed))


def one(*statuses: Status, name: str = "acme") -> Shown:
    return Shown(name, statuses, AGES)


def title(shown: Page) -> str:
    return "".join(text for tag, text in shown.texts if tag == "title")


def test_the_outline() -> None:
    shown = page(one(works("spaces"), works("users")), one(works("spaces"), name="other"))
    assert len(shown.all("h1")) == len(shown.all("title")) == len(shown.all("main")) == 1
    assert len(shown.all("h2")) == len(shown.all("table")) == len(shown.all("thead")) == 2
    assert [cell.get("scope") for cell in shown.all("th")].count("col") == 2 * 5
    assert [cell.get("scope") for cell in shown.all("th")].count("row") == 3
    assert shown.all("html")[0]["lang"] == "en"
    links = [link["href"] for link in shown.all("a")]
    probes = [f"probe?target={name}{debug}" for name in ("acme", "other") for debug in ("", "&debug=true")]
    assert links == ["metrics", "sd", "-/healthy", "-/ready", *probes]


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([works("spaces"), works("users")], "✓ all 2 collectors work"),
        ([works("spaces"), fails("users", Forbidden("no"))], "✗ 1 of 2 collectors fails"),
        ([fails("spaces", Forbidden("no")), fails("users", Forbidden("no"))], "✗ 2 of 2 collectors fail"),
        ([waits("spaces"), waits("users")], "… waiting for the first scrape"),
        ([works("spaces"), waits("users", running=True)], "… 1 of 2 collectors work, 1 not ready yet"),
        ([fails("spaces", Forbidden("no")), waits("users")], "✗ 1 of 2 collectors fails"),
    ],
)
def test_the_summary_says_the_worst(statuses: list[Status], words: str) -> None:
    shown = page(one(*statuses))
    assert words in shown.text
    assert title(shown) == f"{words} – flatfile-exporter"


def test_what_works() -> None:
    text = page(one(works("spaces", ago=192, due_in=3700))).text
    for words in ("spaces", "works", "3m 12s old", "from 2026-11-23 18:34:42 UTC", "0.25s", "in 1h 1m or later"):
        assert words in text
    assert "18:37:54 UTC" in text


def test_what_failed_says_why_and_what_to_do() -> None:
    error = Unauthorized("text of the error", endpoint="/auth", status=400)
    text = page(one(fails("spaces", error, success_ago=100))).text
    assert "failed: unauthorized" in text
    assert f"{ADVICE['unauthorized']} (/auth, status 400)" in text
    assert "1m 40s old" in text
    assert "not exported" not in text
    assert "text of the error" not in text


def test_a_base_url_that_may_be_wrong_is_not_called_wrong_credentials() -> None:
    text = page(one(fails("spaces", Unauthorized("", endpoint="/auth", status=404)))).text
    assert "Check base_url, then the credentials. (/auth, status 404)" in text


def test_one_cause_is_one_message() -> None:
    refused = [fails(name, Unauthorized("", endpoint="/auth", status=401)) for name in ("agents", "jobs", "users")]
    other = fails("spaces", ServerError("", endpoint="/spaces", status=503))
    text = page(one(*refused, other)).text
    assert text.count(f"{ADVICE['unauthorized']} (/auth, status 401)") == 1
    assert text.count("failed: unauthorized") == 3
    assert text.count(ADVICE["server_error"]) == 1
    failures = [
        Failure(NOW - number, name, "unauthorized", "/auth", 401, 1, "", 1) for number, name in enumerate("abc")
    ]
    failures.append(Failure(NOW - 9, "d", "timeout", "/spaces", None, 3, "", 1))
    failures.append(Failure(NOW - 10, "a", "unauthorized", "/auth", 401, 1, "", 1))
    shown = page(Shown("acme", refused, AGES, failures))
    text = " ".join(shown.text.split())
    assert len(shown.all("li")) == 3
    assert "18:37:54 UTC a, b, c unauthorized, /auth, status 401, try 1, 3 times" in text
    assert "18:37:45 UTC d timeout, /spaces, try 3" in text


def test_every_time_is_utc() -> None:
    failure = Failure(NOW - 60, "spaces", "server_error", "/spaces", 503, 3, "", 2)
    text = page(Shown("acme", [works("spaces")], AGES, [failure])).text
    assert len(re.findall(r"\d\d:\d\d:\d\d", text)) == len(re.findall(r"\d\d:\d\d:\d\d UTC", text)) == 4


def test_the_demo_says_that_its_data_is_simulated() -> None:
    assert "The data is simulated." in Page(landing([one()], "/metrics", NOW, simulated=True)).text
    assert "simulated" not in page(one()).text


def test_data_that_is_too_old_is_said_to_be_withheld() -> None:
    assert "too old: not exported" in page(one(fails("spaces", Forbidden(""), success_ago=901))).text
    assert "not exported" not in page(one(fails("spaces", Forbidden(""), success_ago=899))).text


def test_what_failed_in_part() -> None:
    text = page(one(fails("agents", Forbidden("", endpoint="/agents"), reached=True))).text
    assert "failed in part: forbidden" in text
    assert "never complete" in text
    text = page(one(fails("agents", Forbidden(""), reached=True, success_ago=60))).text
    assert "complete 1m 0s ago" in text


def test_an_error_without_endpoint_or_status() -> None:
    text = page(one(fails("spaces", ConnectionFailed("x")))).text
    assert "()" not in text
    assert "None" not in text


def test_the_worst_comes_first() -> None:
    good, bad = one(works("spaces"), name="good"), one(works("agents"), fails("users", ServerError("x")), name="bad")
    text = page(good, bad).text
    assert text.index("Account bad") < text.index("Account good")
    assert text.index("users") < text.index("agents")


def test_before_the_first_scrape_it_says_what_to_do() -> None:
    text = page(one(waits("spaces"))).text
    assert "The API is queried only when scraped" in text
    assert "waiting for the first scrape" in text
    assert "first refresh in progress" in page(one(waits("spaces", running=True))).text


def test_warnings_are_shown_and_are_not_green() -> None:
    many = [f"expected_agents: no environment matches '<{number}>'." for number in range(MAX_WARNINGS + 2)]
    accounts = [one(works("spaces"), name="calm"), Shown("acme", [works("spaces")], AGES, warnings=many)]
    shown = Page(landing(accounts, "/metrics", NOW, warnings=["events.include: no known topic matches 'jobs:*'"]))
    assert title(shown) == "⚠ all 2 collectors work, 13 warnings – flatfile-exporter"
    assert "⚠ events.include: no known topic matches 'jobs:*'" in shown.text
    assert shown.text.count("⚠ expected_agents: no environment matches '<") == MAX_WARNINGS
    assert "⚠ 2 more warnings" in shown.text
    assert shown.text.index("Account acme") < shown.text.index("Account calm")
    failing = Page(
        landing([Shown("acme", [fails("spaces", ServerError("x"))], AGES, warnings=many[:1])], "/metrics", NOW)
    )
    assert title(failing) == "✗ 1 of 1 collectors fails, 1 warning – flatfile-exporter"


def test_a_failed_reload_shows() -> None:
    assert "last reload failed" in page(one(works("spaces")), reload_failed=True).text
    assert "last reload failed" not in page(one(works("spaces"))).text


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><b>",
    "a&b;&lt;&#x27;",
    "'; DROP",
    "javascript:alert(1)",
    "größer 🚀 \u202e",
    "../../-/reload?x#y",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_account_name_is_text(name: str) -> None:
    shown = page(one(works("spaces"), name=name))
    plain = page(one(works("spaces"), name="x"))
    assert [tag for tag, _ in shown.elements] == [tag for tag, _ in plain.elements]
    assert f"Account {name} " in shown.text
    probe, debug = (link["href"] for link in shown.all("a") if link["href"].startswith("probe"))
    assert re.fullmatch(r"probe\?target=[A-Za-z0-9%_.~-]+", probe)
    assert debug == f"{probe}&debug=true"


@settings(deadline=None)
@given(
    st.text(min_size=1), st.lists(st.sampled_from([*REASONS]), max_size=5), st.text(), st.floats(0, 1e9), st.booleans()
)
def test_no_state_breaks_the_page(name: str, reasons: list[str], secret: str, ago: float, reached: bool) -> None:
    kinds = {kind.reason: kind for kind in _tree(FlatfileError)}
    statuses = [
        fails(f"c{i}", kinds[reason](f"SECRET{secret}"), reached=reached, success_ago=ago)
        for i, reason in enumerate(reasons)
    ]
    written = landing([one(*statuses, works("spaces", ago=ago), name=name.replace("SECRET", ""))], "/metrics", NOW)
    assert "SECRET" not in written
    assert len(Page(written).all("h1")) == 1


def _tree(kind: type[FlatfileError]) -> Iterable[type[FlatfileError]]:
    return itertools.chain([kind], *(_tree(sub) for sub in kind.__subclasses__()))


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    policy = dict(part.strip().split(" ", 1) for part in SECURITY_HEADERS["Content-Security-Policy"].split(";"))
    assert policy.pop("style-src") == f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
    assert policy.pop("img-src") == "data:"
    assert set(policy.values()) == {"'none'"}
    assert "default-src" in policy
    shown = page(one(fails("spaces", BadResponse("x"))))
    assert "".join(text for tag, text in shown.texts if tag == "style") == STYLE
    for _, attrs in shown.elements:
        assert not {"style", "onclick", "onload", "src"} & attrs.keys()
    assert not shown.all("script")
    assert [link["rel"] for link in shown.all("link")] == ["icon"]
    assert shown.all("link")[0]["href"].startswith("data:image/svg+xml,%3Csvg")


def test_failures_are_listed_for_the_morning_after() -> None:
    status = Status("spaces", Outcome(True, True, 0.2, NOW, ()), NOW, running=False, due_in=30.0)
    failures = [
        Failure(NOW - 60, "spaces", "server_error", "/spaces", 503, 3, "the server says that it failed", 2),
        Failure(NOW - 3600, "<b>users", "timeout", "", None, 1, "SECRET text of an error", 1),
    ]
    page = Page(landing([Shown("acme", [status], AGES, failures)], "/metrics", NOW))
    text = " ".join(page.text.split())
    assert "Latest failures: 2, the newest 2026-11-23 18:36:54 UTC" in text
    assert "2026-11-23 18:36:54 UTC spaces server_error, /spaces, status 503, try 3, 2 times" in text
    assert "2026-11-23 17:37:54 UTC <b>users timeout, try 1" in text
    assert "SECRET" not in text
    calm = Page(landing([Shown("acme", [status], AGES)], "/metrics", NOW))
    assert "failures" not in calm.text


def test_the_debug_page_is_one_click_away() -> None:
    page = Page(landing([Shown("a/b", [], AGES)], "/metrics", NOW))
    assert "probe?target=a%2Fb&debug=true" in [attrs.get("href") for attrs in page.all("a")]
