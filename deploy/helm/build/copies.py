"""Copies of the alert rules and dashboards inside of the chart: Helm cannot read what lies outside of it."""

from pathlib import Path

from deploy.helm.build.places import CHART, ROOT

FILES = CHART / "files"
GRAFANA = ROOT / "grafana"


def wanted() -> dict[Path, bytes]:
    """What the copies should be: path -> content."""
    rules = {FILES / "alerts" / name: GRAFANA / "mixin" / name for name in ("rules.yaml", "settings.yaml")}
    boards = [*GRAFANA.glob("dashboards/*.json"), *GRAFANA.glob("dashboards-loki/*.json")]
    originals = rules | {FILES / board.relative_to(GRAFANA): board for board in boards}
    return {copy: original.read_bytes() for copy, original in sorted(originals.items())}


def present() -> dict[Path, bytes]:
    """What they are."""
    return {path: path.read_bytes() for path in sorted(FILES.rglob("*")) if path.is_file()}


def write() -> None:
    """Make them so; what has no original any more goes."""
    copies = wanted()
    for path in present().keys() - copies.keys():
        path.unlink()
    for path, content in copies.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
