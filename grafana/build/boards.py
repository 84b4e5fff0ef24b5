"""All dashboards, from the general to the particular, and where their files lie."""

from pathlib import Path

from . import agents, audit, environments, events, exporter, overview

DIRECTORY = Path(__file__).parent.parent / "dashboards"

BOARDS = (overview.BOARD, environments.BOARD, agents.BOARD, events.BOARD, exporter.BOARD, audit.BOARD)
