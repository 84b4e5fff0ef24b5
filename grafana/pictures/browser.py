"""A page that draws a dashboard, served on loopback, and Chromium taking its picture."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
ICONS = PACKAGES / "@grafana" / "ui" / "dist" / "public" / "img" / "icons"
FONTS = PACKAGES / "@fontsource" / "inter" / "files"
FONT_FILES = {
    "Inter-Regular.woff2": "inter-latin-400-normal.woff2",
    "Inter-Medium.woff2": "inter-latin-500-normal.woff2",
}
"""Grafana's name of a font's file, and the package's."""

PAGE = PACKAGES / ".page"
"""Where `npm run build` puts the page's script and style."""

WIDTH = 1600
BAR = 124
"""Height of the bars above the panels, in pixels."""
UNIT = 38
"""Height of a row of Grafana's grid, with the gap below it, in pixels."""

HTML = """<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css"></head>
<body style="margin:0"><div id="root"></div><script>window.DRAWN = {drawn};
window.__grafana_public_path__ = "/public/";</script><script src="page.js"></script></body></html>"""


class _Files(SimpleHTTPRequestHandler):
    """The page and its script; icons and fonts where Grafana's components look for them."""

    def translate_path(self, path: str) -> str:
        if path.startswith("/public/build/img/icons/"):
            return str(ICONS / path.removeprefix("/public/build/img/icons/"))
        if path.startswith("/public/fonts/inter/"):
            name = Path(path).name
            return str(FONTS / FONT_FILES.get(name, name))
        return super().translate_path(path)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of a file that was there."""


@contextmanager
def served() -> Iterator[str]:
    """The address of the folder with the page, while the context lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(PAGE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def height(dashboard: dict[str, Any]) -> int:
    """Pixels that the bars and all panels take."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    return BAR + UNIT * max(int(place["y"] + place["h"]) for place in places) + 8


def shoot(address: str, drawn: dict[str, Any], picture: Path, chromium: str) -> list[str]:
    """Draw one dashboard with its answers and write its picture. The page's complaints come back, none if all is well."""
    drawn = {**drawn, "width": WIDTH, "bar": BAR, "unit": UNIT}
    page = PAGE / "page.html"
    page.write_text(HTML.replace("{drawn}", json.dumps(drawn).replace("</", "<\\/")), encoding="utf-8")
    done = subprocess.run(  # noqa: S603
        [
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--virtual-time-budget=15000",
            f"--window-size={WIDTH},{height(drawn['dashboard'])}",
            f"--screenshot={picture}",
            f"{address}/page.html",
        ],
        env={"TZ": "UTC", "LANG": "C.UTF-8", "HOME": str(PAGE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]
