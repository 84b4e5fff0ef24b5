"""`python -m grafana.build`: write every dashboard anew into `grafana/dashboards`."""

from .boards import BOARDS, DIRECTORY
from .frame import written

for board in BOARDS:
    path = DIRECTORY / f"{board.uid}.json"
    path.write_text(written(board), encoding="utf-8")
    print(path)
