"""Prints figures as a table that reads well in a terminal."""

from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *notes: str) -> None:
    """Print a table: the first column to the left, the others to the right; `notes` below it."""
    table = [columns, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(columns))]
    print(title)
    for number, row in enumerate(table):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print(f"  {'  '.join(cells)}".rstrip())
        if number == 0:
            print(f"  {'  '.join('-' * width for width in widths)}")
    for note in notes:
        print(f"  {note}")
    print(flush=True)
