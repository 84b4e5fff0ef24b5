"""The landing page: what runs here, and how each account's collectors are. No secret and nothing personal."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from exporter import __version__
from exporter.account import Account, Status

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.4rem;margin:.2em 0}h2{font-size:1.1rem;margin:1.5em 0 .3em}
nav a{margin-right:1em;white-space:nowrap}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:.35em .8em .35em 0;text-align:left;border-bottom:1px solid #8884;white-space:nowrap}
.state{font-weight:600}.ok{color:#17713a}.bad{color:#b3261e}.wait{color:#6b6b6b}
@media (prefers-color-scheme:dark){.ok{color:#6fd08c}.bad{color:#ff8a80}.wait{color:#b0b0b0}}
footer{margin-top:2em;font-size:.9rem}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def landing(accounts: Iterable[Account], telemetry_path: str, now: float) -> str:
    """Write the page as of `now` (unix seconds)."""
    path = escape(telemetry_path)
    sections = "".join(_section(account, now) for account in accounts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>flatfile-exporter</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>flatfile-exporter {escape(__version__)}</h1>"
        f"<p>Prometheus exporter for Flatfile. Nothing is asked of Flatfile unless somebody scrapes.</p>"
        f'<nav><a href="{path}">metrics</a><a href="/sd">service discovery</a>'
        f'<a href="/-/healthy">health</a><a href="/-/ready">readiness</a></nav>'
        f"{sections}<footer>Times are UTC; this page shows {_time(now)} and does not refresh by itself.</footer></body></html>"
    )


def _section(account: Account, now: float) -> str:
    rows = "".join(_row(status, now) for status in account.status())
    target = quote(account.name, safe="")
    return (
        f'<h2>Account {escape(account.name)} <small><a href="/probe?target={escape(target)}">scrape it alone</a></small></h2>'
        f'<div class="wide"><table><thead><tr><th scope="col">Collector</th><th scope="col">State</th>'
        f'<th scope="col">Last success</th><th scope="col">Age</th><th scope="col">Took</th><th scope="col">Next due</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(status: Status, now: float) -> str:
    kind, text = _state(status)
    success = status.last_success
    age = "" if success is None else _duration(max(0.0, now - success))
    took = "" if status.outcome is None else f"{status.outcome.duration:.2f}s"
    due = (
        "under way"
        if status.running
        else "at the next scrape"
        if not status.due_in
        else f"in {_duration(status.due_in)}"
    )
    return (
        f'<tr><th scope="row">{escape(status.collector)}</th><td><span class="state {kind}">{escape(text)}</span></td>'
        f"<td>{'never' if success is None else _time(success)}</td><td>{age}</td><td>{took}</td><td>{due}</td></tr>"
    )


def _state(status: Status) -> tuple[str, str]:
    """Put a collector's state in words. Of an error its reason, endpoint and status are shown."""
    outcome = status.outcome
    if outcome is None:
        return "wait", "first refresh under way" if status.running else "waits for a scrape"
    if outcome.success:
        return "ok", "ok"
    first = outcome.errors[0]
    where = ", ".join(part for part in (first.endpoint, f"status {first.status}" if first.status else "") if part)
    how = "failed" if not outcome.reached else "failed in part"
    return "bad", f"{how}: {first.reason}" + (f" ({where})" if where else "")


def _time(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"
