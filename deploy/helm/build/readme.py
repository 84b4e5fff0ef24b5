"""The table of values in the chart's README, from the comments in values.yaml.

The comments are written as helm-docs has them: the lines above a key, the first of which begins with `# -- `. A key
with such a comment gets a row; the keys below it only where they have comments, too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.helm.build.places import CHART

FILE = CHART / "README.md"
VALUES = CHART / "values.yaml"
BEGIN = "<!-- The table is generated from values.yaml by `python -m deploy.helm.build`. -->\n"
END = "<!-- The end of the table. -->\n"
HEAD = "| value | type | default | meaning |\n| --- | --- | --- | --- |\n"
_MARK = "# -- "
_BAR = r"\|"
_TYPES = {dict: "object", list: "list", str: "text", bool: "true or false", int: "number"}


@dataclass(frozen=True, slots=True)
class Row:
    """A documented value; `path` as it is written behind `--set`."""

    path: str
    default: Any
    meaning: str


def rows(text: str) -> list[Row]:
    """Every documented value. Raises ValueError for one that has no comment, and is not below one that has."""
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(document, yaml.MappingNode)
    return [*_rows(document, "", text.splitlines(), covered=False)]


def render(readme: str, values: str) -> str:
    """The README with the table of these values between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{HEAD}{''.join(map(_line, rows(values)))}\n{END}{after}"


def write() -> None:
    text = render(FILE.read_text(encoding="utf-8"), VALUES.read_text(encoding="utf-8"))
    FILE.write_text(text, encoding="utf-8")


def _rows(mapping: yaml.MappingNode, prefix: str, lines: list[str], *, covered: bool) -> Iterator[Row]:
    for key, value in mapping.value:
        path = f"{prefix}{key.value}"
        meaning = _comment(lines[: key.start_mark.line])
        if meaning:
            yield Row(path, yaml.safe_load(yaml.serialize(value)), meaning)
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _rows(value, f"{path}.", lines, covered=covered or bool(meaning))
        elif not (covered or meaning):
            raise ValueError(f"values.yaml: {path} has no comment that begins with {_MARK!r}")


def _comment(above: list[str]) -> str:
    """The text of the comment that ends just above, empty where none has the mark."""
    found: list[str] = []
    for line in reversed(above):
        text = line.strip()
        if not text.startswith("#"):
            return ""
        if text.startswith(_MARK):
            return " ".join([text.removeprefix(_MARK), *reversed(found)])
        found.append(text.removeprefix("#").strip())
    return ""


def _line(row: Row) -> str:
    cells = (
        f"`{row.path}`",
        _TYPES[type(row.default)],
        f"`{json.dumps(row.default, ensure_ascii=False)}`",
        row.meaning,
    )
    return f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |\n"
