"""The Markdown pages of the repository, and the fenced blocks in them."""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOT_OURS = {"node_modules", "__pycache__"}


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is all that stands behind the fence, the language and how it is checked."""

    kind: str
    text: str


@cache
def pages() -> tuple[str, ...]:
    """Every page by its path below the repository."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.startswith(".")]
        found += [Path(folder, name).relative_to(ROOT).as_posix() for name in files if name.endswith(".md")]
    return tuple(sorted(found))


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """The blocks of a page in their order. AssertionError for a fence that is none of a block."""
    text = read(page)
    found = [Block(kind, body) for kind, body in re.findall(r"^```(\S.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)) == 2 * len(found), (
        f"{page}: a block without a language"
    )
    return found


def prose(page: str) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
