"""How much memory the exporter takes when it has answered a few scrapes and has nothing to do."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.exporting import Exporter, configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, simulated
from bench.startup import SMALL
from bench.table import show


def main(arguments: Sequence[str] | None = None) -> None:
    """Scrape real processes and print their resident memory."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--scrapes", type=int, default=10, help="scrapes before memory is read (default: 10)")
    scrapes = parser.parse_args(arguments).scrapes
    rows = []
    with exporting("demo") as exporter:
        rows.append(("demo: the exporter and the simulated API in one process", *_measured(exporter, scrapes)))
    with simulated(SMALL, 0.0) as api, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET))
        with exporting("serve", f"--config.file={file}") as exporter:
            rows.append(("serve: a small account, its API elsewhere", *_measured(exporter, scrapes)))
    show("Idle memory", ("", "resident MiB", "most MiB"), rows, f"after {scrapes} scrapes")


def _measured(exporter: Exporter, scrapes: int) -> tuple[str, str]:
    exporter.until_answered("/metrics")
    for _ in range(scrapes - 1):
        exporter.get()
    now, most = exporter.memory()
    return f"{now:.1f}", f"{most:.1f}"


if __name__ == "__main__":
    main()
