"""The configurations and commands of docs/scaling.md, which the tests run with addresses of this machine."""

from tests.pages import blocks

GUIDE = "docs/scaling.md"
EXPORTERS = ("flatfile-exporter-0:10056", "flatfile-exporter-1:10056")
"""As the guide calls them where there are two."""


def block(kind: str) -> str:
    """The only block of this kind in the guide."""
    (text,) = [each.text for each in blocks(GUIDE) if each.kind == kind]
    return text
