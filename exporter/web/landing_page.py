"""The landing page: the state of each account's collectors. No secrets and no personal data."""

import base64
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from typing import Literal
from urllib.parse import quote

from exporter import __version__
from exporter.account.account import Account, Status
from exporter.account.refresh import Failure
from exporter.flatfile.errors import advice

STYLE = """
:root{color-scheme:light dark;--ok:#17713a;--warn:#8a5300;--bad:#b3261e;--wait:#5f5f5f;--line:#8884}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:64rem;padding:1rem}
h1{font-size:1.2rem;margin:0}h1 small{font-weight:400}h2{font-size:1.1rem;margin:2rem 0 .3rem}
nav{margin:.3rem 0 1rem}p{margin:.3rem 0}a{margin-right:1em;white-space:nowrap}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.wait{color:var(--wait)}
.sum{border-left:.4rem solid;font-size:1.3rem;font-weight:600;margin:.5rem 0;padding:.4rem .8rem}
.sum p{font-size:1rem;font-weight:400;margin:0}.sum p:not([class]){color:CanvasText}
table{border-collapse:collapse;table-layout:fixed;width:100%}
th{width:9.5rem}th:nth-child(2){width:auto}th:nth-child(3){width:14rem}th:nth-child(4){width:4rem}
th,td{border-bottom:1px solid var(--line);padding:.4rem 1rem .4rem 0;text-align:left;vertical-align:top}
tbody tr:last-child>*{border:0}td b{display:block}td small,h2 small{font-size:.85rem;font-weight:400}td small{display:block}
footer{font-size:.85rem;margin-top:2rem}
details{margin:.6rem 0}summary{cursor:pointer}ol{padding-left:1.6rem}li{margin:.25rem 0}time{white-space:nowrap}
@media (prefers-color-scheme:dark){:root{--ok:#6fd08c;--warn:#ffb74d;--bad:#ff8a80;--wait:#b0b0b0}}
@media (max-width:44rem){
thead{clip-path:inset(50%);height:1px;overflow:hidden;position:absolute;width:1px}
table,tbody,tr{display:block}th,td{border:0;display:inline-block;padding:0 1rem 0 0;width:auto}
tr{border-top:1px solid var(--line);padding:.5rem 0}td[data-of]::before{color:var(--wait);content:attr(data-of) " "}
td:empty{display:none}td small{display:inline}td:nth-child(2) small{display:block}
}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Kind = Literal["ok", "warn", "bad", "wait"]
_SIGNS: dict[Kind, tuple[str, str]] = {
    "ok": ("✓", "2e9e57"),
    "warn": ("⚠", "e08600"),
    "bad": ("✗", "d93025"),
    "wait": ("…", "8a8a8a"),
}
MAX_WARNINGS = 10  # of an account


@dataclass(frozen=True, slots=True)
class Shown:
    """An account on the page. `max_age` (seconds) by collector: when its data is withheld.

    `failures` are the latest ones, newest first. `warnings` are on what the configuration names and the account does not have.
    """

    name: str
    collectors: Sequence[Status]
    max_age: Mapping[str, float]
    failures: Sequence[Failure] = ()
    warnings: Sequence[str] = ()

    @classmethod
    def of(cls, account: Account) -> "Shown":
        """Return the state of an account."""
        ages = {name: settings.max_age for name, settings in account.config.collectors.items()}
        return cls(account.name, account.status(), ages, account.failures(), account.unmatched())


def landing(
    accounts: Sequence[Shown],
    telemetry_path: str,
    now: float,
    *,
    warnings: Sequence[str] = (),
    reload_failed: bool = False,
    simulated: bool = False,
) -> str:
    """Return the page as of `now` (unix seconds). Its links are relative, for it may be behind a proxy.

    `warnings` are those of the configuration. `reload_failed`: the last reload changed nothing. `simulated`: the account is
    that of the demo.
    """
    number = len(warnings) + sum(len(account.warnings) for account in accounts)
    kind, words = _summary([status for account in accounts for status in account.collectors], number)
    sign, color = _SIGNS[kind]
    icon = quote(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4.5" cy="4.5" r="4" fill="#{color}"/></svg>'
    )
    notes = ""
    if kind == "wait":
        notes += "<p>The API is queried only when scraped, by Prometheus or by opening the metrics below.</p>"
    if simulated:
        notes += "<p>The data is simulated.</p>"
    notes += "".join(_warning(warning) for warning in warnings)
    if reload_failed:
        notes += '<p class="bad">✗ The last reload failed; the previous configuration is in use. The reason is in the log.</p>'
    sections = "".join(_section(account, now) for account in _worst_first(accounts))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{sign} {words} – flatfile-exporter</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:image/svg+xml,{icon}">'
        f"<style>{STYLE}</style></head><body><h1>flatfile-exporter <small>{escape(__version__)}</small></h1>"
        f'<div class="sum {kind}">{sign} {words}{notes}</div>'
        f'<nav><a href="{escape(telemetry_path.lstrip("/"))}">metrics</a> <a href="sd">service discovery</a> '
        f'<a href="-/healthy">health</a> <a href="-/ready">readiness</a></nav>'
        f"<main>{sections}</main><footer>As of {_time(now)}. Opening this page sends no requests to the API, and it does not "
        "reload by itself.</footer></body></html>"
    )


def _summary(collectors: Sequence[Status], warnings: int) -> tuple[Kind, str]:
    """Return the worst state, in a few words, and the number of warnings."""
    kind, words = _worst(collectors)
    if not warnings:
        return kind, words
    return "warn" if kind == "ok" else kind, f"{words}, {warnings} {'warning' if warnings == 1 else 'warnings'}"


def _worst(collectors: Sequence[Status]) -> tuple[Kind, str]:
    kinds = [_kind(status) for status in collectors]
    number, failing, waiting = len(kinds), kinds.count("bad"), kinds.count("wait")
    if failing:
        return "bad", f"{failing} of {number} collectors {'fails' if failing == 1 else 'fail'}"
    if waiting == number:
        return "wait", "waiting for the first scrape"
    if waiting:
        return "wait", f"{number - waiting} of {number} collectors work, {waiting} not ready yet"
    return "ok", f"all {number} collectors work"


def _worst_first(accounts: Sequence[Shown]) -> list[Shown]:
    def rank(account: Shown) -> int:
        return 0 if any(_kind(status) == "bad" for status in account.collectors) else 1 if account.warnings else 2

    return sorted(accounts, key=rank)


def _section(account: Shown, now: float) -> str:
    kind, words = _summary(account.collectors, len(account.warnings))
    statuses = sorted(account.collectors, key=lambda status: _kind(status) != "bad")
    causes = Counter(_cause(status) for status in statuses)
    shared = [cause for cause, number in causes.items() if cause and number > 1]
    messages = "".join(f'<p class="bad">✗ {escape(cause)}</p>' for cause in shared)
    messages += "".join(_warning(warning) for warning in account.warnings[:MAX_WARNINGS])
    if len(account.warnings) > MAX_WARNINGS:
        messages += _warning(f"{len(account.warnings) - MAX_WARNINGS} more warnings")
    rows = "".join(_row(status, account.max_age.get(status.collector), now, shared) for status in statuses)
    target = escape(quote(account.name, safe=""))
    return (
        f'<h2>Account {escape(account.name)} <small class="{kind}">{_SIGNS[kind][0]} {words}</small> '
        f'<small><a href="probe?target={target}">metrics of this account</a> '
        f'<a href="probe?target={target}&amp;debug=true">debug</a></small></h2>{messages}'
        '<table><thead><tr><th scope="col">Collector</th><th scope="col">State</th><th scope="col">Data</th>'
        f'<th scope="col">Took</th><th scope="col">Next refresh</th></tr></thead><tbody>{rows}</tbody></table>'
        f"{_failures(account.failures)}"
    )


def _warning(text: str) -> str:
    return f'<p class="warn">⚠ {escape(text)}</p>'


def _failures(failures: Sequence[Failure]) -> str:
    """Return the latest failures, folded. Those with one cause that follow each other are one line."""
    if not failures:
        return ""
    groups = [[*group] for _, group in groupby(failures, lambda f: (f.reason, f.endpoint, f.status, f.attempt))]
    rows = "".join(
        f"<li><time>{_time(group[0].at)}</time> <b>{escape(', '.join(dict.fromkeys(f.collector for f in group)))}</b> "
        f"{group[0].reason}{f', {escape(group[0].endpoint)}' if group[0].endpoint else ''}"
        f"{f', status {group[0].status}' if group[0].status else ''}, try {group[0].attempt}"
        f"{f', {times} times' if (times := sum(f.times for f in group)) > 1 else ''}</li>"
        for group in groups
    )
    newest = _time(failures[0].at)
    return f"<details><summary>Latest failures: {len(failures)}, the newest {newest}</summary><ol>{rows}</ol></details>"


def _row(status: Status, max_age: float | None, now: float, said: Collection[str]) -> str:
    """Return a collector's row. Causes in `said` are on the page already."""
    kind = _kind(status)
    cause = _cause(status)
    details = f"<small>{escape(cause)}</small>" if cause and cause not in said else ""
    took = "<td></td>" if status.outcome is None else f'<td data-of="took">{status.outcome.duration:.2f}s</td>'
    return (
        f'<tr><th scope="row">{escape(status.collector)}</th>'
        f'<td><b class="{kind}">{_SIGNS[kind][0]} {escape(_state(status))}</b>{details}</td>'
        f'<td data-of="data">{_data(status, max_age, now)}</td>{took}'
        f'<td data-of="next refresh">{_due(status)}</td></tr>'
    )


def _kind(status: Status) -> Kind:
    if status.outcome is None:
        return "wait"
    return "ok" if status.outcome.success else "bad"


def _state(status: Status) -> str:
    """Return a collector's state in words."""
    outcome = status.outcome
    if outcome is None:
        return "first refresh in progress" if status.running else "waiting for the first scrape"
    if outcome.success:
        return "works"
    return f"{'failed in part' if outcome.reached else 'failed'}: {outcome.errors[0].reason}"


def _cause(status: Status) -> str:
    """Return why a collector failed and what to do. Of an error only its reason, endpoint and status are shown."""
    if status.outcome is None or status.outcome.success:
        return ""
    first = status.outcome.errors[0]
    where = ", ".join(part for part in (first.endpoint, f"status {first.status}" if first.status else "") if part)
    return advice(first.reason, first.status) + (f" ({where})" if where else "")


def _data(status: Status, max_age: float | None, now: float) -> str:
    """Return how old the data is, and whether it is still exported."""
    success = status.last_success
    if status.outcome is not None and status.outcome.reached and not status.outcome.success:
        return "never complete" if success is None else f"complete {_duration(max(0.0, now - success))} ago"
    if success is None:
        return "none yet"
    age = max(0.0, now - success)
    text = f"{_duration(age)} old <small>from {_time(success)}</small>"
    withheld = max_age is not None and age > max_age
    return f'{text} <small class="bad">too old: not exported</small>' if withheld else text


def _due(status: Status) -> str:
    if status.running:
        return "in progress"
    return f"in {_duration(status.due_in)} or later" if status.due_in else "at the next scrape"


def _time(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"
