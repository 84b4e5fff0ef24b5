"""Writes the golden files anew: `python -m tests.golden.write`. Then read what has changed: each value must be right."""

import asyncio

from tests.golden.page import SHAPE, VALUES, fixed_families, shape, values


def main() -> None:
    families = asyncio.run(fixed_families())
    SHAPE.write_text(shape(families), encoding="utf-8")
    VALUES.write_text(values(families), encoding="utf-8")


if __name__ == "__main__":
    main()
