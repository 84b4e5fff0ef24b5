"""Routes: scrapes, service discovery, the landing page, health and reload."""

import asyncio
import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.account.account import Account
from exporter.account.accounts import Accounts
from exporter.collectors import REGISTRY
from exporter.config import ConfigError
from exporter.core.clock import Clock
from exporter.core.log_throttle import LogThrottle
from exporter.core.logs import fields
from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.text import Format, Lines, join
from exporter.web.debug_page import Explained, explain
from exporter.web.disconnects import ARRIVED
from exporter.web.discovery import ONLY_EXPORTER, location, targets
from exporter.web.landing_page import SECURITY_HEADERS, Shown, landing
from exporter.web.max_requests import TAKE_PLACE, refusal
from exporter.web.pages import Pages
from exporter.web.self_metrics import OwnMetrics
from exporter.web.stagger import offsets
from exporter.web.timeout import DEFAULT_TIMEOUT, TIMEOUT_HEADER, scrape_timeout
from exporter.web_config import replace_headers

log = logging.getLogger(__name__)

OWN_PATHS = ("/probe", "/sd")  # like / and /-/…, not allowed as the path of the metrics
SHUTDOWN_TIMEOUT = 2.0  # seconds for the scrapes under way when the exporter shuts down


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The settings of the HTTP side; `timeout_offset` in seconds.

    `external_url` has no slash at its end. `route_prefix` is such as `/flatfile`, or empty. `simulated`: of the demo.
    """

    telemetry_path: str = "/metrics"
    timeout_offset: float = 0.5
    enable_lifecycle: bool = False
    external_url: str | None = None
    route_prefix: str = ""
    simulated: bool = False


class Web:
    """Answers requests. A scrape is answered with status 200, whatever the API does."""

    def __init__(self, accounts: Accounts, settings: WebSettings, clock: Clock) -> None:
        self._accounts = accounts
        self._settings = settings
        self._clock = clock
        self._own = OwnMetrics(accounts)
        self._own.expect(settings.telemetry_path, "/probe")
        self._pages = Pages()
        self._throttle = LogThrottle(clock.monotonic)
        self._under_way: set[asyncio.Timeout] = set()
        self._end_by = math.inf  # loop time

    def app(self) -> ASGIApp:
        prefix, telemetry_path = self._settings.route_prefix, self._settings.telemetry_path
        routes = [
            Route(prefix + telemetry_path, self.metrics),
            Route(f"{prefix}/probe", self.probe),
            Route(f"{prefix}/sd", self.discovery),
            Route(f"{prefix}/-/healthy", self.healthy),
            Route(f"{prefix}/-/ready", self.ready),
            Route(f"{prefix}/-/reload", self.reload, methods=["POST", "PUT"]),
        ]
        if telemetry_path != "/":
            routes.append(Route(f"{prefix}/", self.landing_page))
        if prefix:
            home = RedirectResponse(f"{prefix}/", status_code=302)
            routes += [Route(path, home, methods=["GET"]) for path in ("/", prefix)]
        starlette = Starlette(routes=routes)
        starlette.router.redirect_slashes = False  # a scraper should notice a wrong path
        return _SecurityHeaders(starlette)  # around all of it, so that a status 500 has them too

    def shorten_deadlines(self) -> None:
        """Answer the scrapes under way within 2 s, since the exporter is shutting down."""
        self._end_by = asyncio.get_running_loop().time() + SHUTDOWN_TIMEOUT
        for limit in self._under_way:
            limit.reschedule(self._end_by)

    async def metrics(self, request: Request) -> Response:
        """All accounts and the exporter itself; `collect[]` selects collectors, `only=exporter` leaves the accounts out."""
        only = request.query_params.get("only")
        if only not in (None, ONLY_EXPORTER):
            return _bad(f"only={only[:100]!r}: the only value is {ONLY_EXPORTER!r}")
        return await self._scrape(request, [] if only else [*self._accounts], own=True)

    async def probe(self, request: Request) -> Response:
        """The one account that `target` names; `debug=true` explains the scrape."""
        target = request.query_params.get("target")
        debug = request.query_params.get("debug")
        if target is None:
            return _bad("the parameter 'target' is missing: give the name of an account of the configuration")
        account = self._accounts.get(target)
        if account is None:
            return _bad(f"target {target[:100]!r} is not an account of the configuration")
        if debug not in (None, "true"):
            return _bad(f"debug={debug[:100]!r}: the only value is 'true'")
        scraped = await self._scrape(request, [account], own=False)
        return scraped if debug is None or scraped.status_code != 200 else await self._explained(request, account)

    async def _explained(self, request: Request, account: Account) -> Response:
        """Explain the scrape that has just been made, with the metrics that it would have returned."""
        only = frozenset(request.query_params.getlist("collect[]")) or None
        deadline = asyncio.get_running_loop().time() + DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                explained = await Explained.of(account, self._clock.wall())
        except TimeoutError:
            return PlainTextResponse("The account's thread is busy; try again later.\n", status_code=503)
        rendered = await account.page.lines(Format.TEXT_0_0_4, only, deadline)
        return PlainTextResponse(explain(explained, join(rendered.values(), Format.TEXT_0_0_4).decode()))

    async def _scrape(self, request: Request, accounts: Sequence[Account], *, own: bool) -> Response:
        collect = request.query_params.getlist("collect[]")
        unknown = sorted(set(collect) - REGISTRY.keys())
        if unknown:
            return _bad(
                f"collect[]={unknown[0][:100]!r} is not a collector; the collectors are {', '.join(sorted(REGISTRY))}"
            )
        only = frozenset(collect) or None
        loop = asyncio.get_running_loop()
        timeout = scrape_timeout(request.headers.get(TIMEOUT_HEADER), self._settings.timeout_offset)
        deadline = request.scope.get(ARRIVED, loop.time()) + timeout
        reserve = self._pages.reserve(timeout, len(accounts))
        if request.method == "GET":
            complete = await self._refreshed(accounts, deadline - reserve, only)
            self._own.scrape(request.scope["path"].removeprefix(self._settings.route_prefix), complete)
        until = min(deadline - reserve / 2, self._end_by)
        if TAKE_PLACE in request.scope and not await request.scope[TAKE_PLACE](until):
            return refusal()
        began = loop.time()
        fmt = choose_format(", ".join(request.headers.getlist("accept")) or None)
        rendered = await self._rendered(accounts, fmt, only, until)
        compressed = accepts_gzip(", ".join(request.headers.getlist("accept-encoding")) or None)
        own_families = self._own.families if own else tuple
        body = await self._pages.make(rendered, own_families, fmt, compressed=compressed)
        self._pages.took(len(accounts), loop.time() - began)
        headers = {"Content-Type": fmt.value, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _refreshed(self, accounts: Sequence[Account], deadline: float, only: Collection[str] | None) -> bool:
        """Refresh the collectors that are due, side by side. Return whether all of them have finished."""
        starts = offsets(len(accounts), deadline - asyncio.get_running_loop().time())

        async def refreshed(account: Account, start: float) -> bool:
            if start and account.due_in(only) <= start:
                await asyncio.sleep(start)
            return await account.refresh(deadline, only)

        try:
            async with asyncio.timeout(None) as limit:
                self._under_way.add(limit)
                return all(await asyncio.gather(*map(refreshed, accounts, starts)))
        except TimeoutError:  # `shorten_deadlines`; the refreshes continue
            return False
        finally:
            self._under_way.discard(limit)

    async def _rendered(
        self, accounts: Sequence[Account], fmt: Format, only: Collection[str] | None, deadline: float
    ) -> list[Lines]:
        """Return the lines of all accounts. One that cannot be rendered does not fail the scrape of the others."""
        rendered = await asyncio.gather(
            *(account.page.lines(fmt, only, deadline) for account in accounts), return_exceptions=True
        )
        lines: list[Lines] = []
        for account, parts in zip(accounts, rendered, strict=True):
            if isinstance(parts, Exception):
                if self._throttle.should_log((account.name, type(parts))) is not None:
                    error = type(parts).__name__  # its text may quote what the API sent
                    log.error("metrics of an account missing", extra=fields(account=account.name, error=error))
                continue
            if isinstance(parts, BaseException):
                raise parts
            lines += parts.values()
            dropped = sum(each.dropped for each in parts.values())
            if dropped and self._throttle.should_log(account.name) is not None:
                log.warning(
                    "several samples of the same series, only the first is exported",
                    extra=fields(account=account.name, samples=dropped),
                )
        return lines

    async def discovery(self, request: Request) -> Response:
        """Prometheus' HTTP service discovery: a target for each account, and one for the exporter itself."""
        settings = self._settings
        where = location(request, settings.external_url, settings.route_prefix)
        return JSONResponse(targets(where, settings.telemetry_path, [account.name for account in self._accounts]))

    async def landing_page(self, request: Request) -> Response:
        """The page for people."""
        accounts = self._accounts
        return HTMLResponse(
            landing(
                [Shown.of(account) for account in accounts],
                self._settings.telemetry_path,
                self._clock.wall(),
                warnings=accounts.warnings,
                reload_failed=not accounts.reload_successful,
                simulated=self._settings.simulated,
            )
        )

    async def healthy(self, request: Request) -> Response:
        """Return 200 as long as requests are answered."""
        return PlainTextResponse("flatfile-exporter is healthy.\n")

    async def ready(self, request: Request) -> Response:
        """Return 200 once every account's first refresh has been tried, successfully or not. No request is sent for it."""
        waiting = [account.name for account in self._accounts if not account.tried]
        if waiting:
            return PlainTextResponse(f"Waiting for the first scrape of: {', '.join(waiting)}\n", status_code=503)
        return PlainTextResponse("flatfile-exporter is ready.\n")

    async def reload(self, request: Request) -> Response:
        """Reload the configuration. The response holds its errors, and nothing changes then."""
        if not self._settings.enable_lifecycle:
            return PlainTextResponse("Reload over HTTP is not enabled (--web.enable-lifecycle).\n", status_code=403)
        origin = request.headers.get("origin")
        if origin is not None and not self._is_own_origin(origin, request):
            return PlainTextResponse("Reload refused: the request comes from another site's page.\n", status_code=403)
        problem = await asyncio.shield(self.try_reload())  # a client that disconnects does not stop it half way
        return (
            PlainTextResponse("reloaded\n") if problem is None else PlainTextResponse(f"{problem}\n", status_code=500)
        )

    def _is_own_origin(self, origin: str, request: Request) -> bool:
        """Return whether a browser sent the request from a page of the exporter itself."""
        hosts = [request.headers.get("host", ""), urlsplit(self._settings.external_url or "").netloc]
        return origin.partition("://")[2].lower() in [host.lower() for host in hosts if host]

    async def try_reload(self) -> str | None:
        """Reload the configuration. Return its errors, `None` when there are none."""
        try:
            await self._accounts.reload()
        except ConfigError as error:
            log.warning("reload failed, keeping the configuration in use", extra=fields(error=str(error)))
            return str(error)
        return None


def _bad(message: str) -> Response:
    return PlainTextResponse(message + "\n", status_code=400)


class _SecurityHeaders:
    """Adds the headers that keep a browser from doing anything but showing the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, replace_headers(SECURITY_HEADERS.items(), send))
