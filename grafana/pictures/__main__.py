"""`python -m grafana.pictures`: draw every dashboard over what a Prometheus knows."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx

from .answers import Times, answers
from .browser import PAGE, served, shoot

ROOT = Path(__file__).parents[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m grafana.pictures", description=__doc__)
    parser.add_argument("--prometheus", default="http://localhost:9090", help="address (default: %(default)s)")
    parser.add_argument(
        "--at",
        type=datetime.fromisoformat,
        default=datetime.now(UTC),
        help="end of the time range, such as 2026-11-23T20:03:00Z (default: now)",
    )
    parser.add_argument("--minutes", type=int, default=30, help="length of the time range (default: %(default)s)")
    parser.add_argument(
        "--interval", type=int, default=30, help="seconds of the data source's scrape interval (default: %(default)s)"
    )
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder (default: %(default)s)")
    parser.add_argument("dashboards", nargs="*", metavar="UID", help="such as flatfile-agents (default: all)")
    return parser.parse_args()


def main() -> int:
    """Write `<uid>.png` for each dashboard; 1 when a page complained, for then its picture is not to be trusted."""
    chosen = _arguments()
    if not (PAGE / "page.js").exists():
        raise SystemExit("The page is not built: npm install && npm run build in grafana/pictures")
    end = int(chosen.at.timestamp())
    times = Times(end - 60 * chosen.minutes, end, chosen.interval)
    failed = False
    with served() as address, httpx.Client(base_url=chosen.prometheus, timeout=60) as prometheus:
        for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
            if chosen.dashboards and path.stem not in chosen.dashboards:
                continue
            dashboard = json.loads(path.read_text(encoding="utf-8"))
            drawn = answers(prometheus, dashboard, times)
            picture = chosen.out / f"{path.stem}.png"
            complaints = shoot(address, drawn, picture, chosen.chromium)
            failed = failed or bool(complaints)
            sys.stdout.write("\n".join([f"{picture}: {picture.stat().st_size // 1024} KiB", *complaints]) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
