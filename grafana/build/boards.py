"""All dashboards, and the files that are generated from them."""

from collections.abc import Iterator
from pathlib import Path

from . import agents, audit, environments, events, exporter, overview
from .frame import render, written
from .variants import for_import

GRAFANA = Path(__file__).parent.parent
ON_PROMETHEUS = (overview.BOARD, environments.BOARD, agents.BOARD, events.BOARD, exporter.BOARD)
ON_LOKI = (audit.BOARD,)
BOARDS = ON_PROMETHEUS + ON_LOKI


def files() -> Iterator[tuple[Path, str]]:
    """Each file with its text: for provisioning by data source, and all of them once more for import by hand.

    Those on Loki have a folder of their own, so that no dashboard is provisioned whose data source is not there.
    """
    for folder, boards in (("dashboards", ON_PROMETHEUS), ("dashboards-loki", ON_LOKI)):
        for board in boards:
            dashboard = render(board)
            yield GRAFANA / folder / f"{board.uid}.json", written(dashboard)
            yield GRAFANA / "dashboards-import" / f"{board.uid}.json", written(for_import(dashboard), indent=None)
