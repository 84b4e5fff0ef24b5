"""Pages are made on a thread of their own, and time is kept for them."""

import gzip

import pytest

from exporter.exposition.families import Desc, Family
from exporter.exposition.text import Format, lines
from exporter.web.pages import MIN_RESERVE, Pages

SPACES = Desc("flatfile_spaces", "gauge", "Spaces.", ("account",))
OWN = Family(Desc("flatfile_exporter_build_info", "gauge", "Build.", ()), [((), 1)])


@pytest.mark.parametrize("fmt", Format)
async def test_a_page_joins_accounts_and_the_exporter_itself(fmt: Format) -> None:
    pages = Pages()
    rendered = [lines([Family(SPACES, [((name,), 1)])], fmt) for name in ("one", "two")]
    plain = await pages.make(rendered, lambda: [OWN], fmt, compressed=False)
    compressed = await pages.make(rendered, lambda: [OWN], fmt, compressed=True)
    assert gzip.decompress(compressed) == plain
    assert plain.count(b"# TYPE") == 2
    assert plain.count(b"\nflatfile_spaces{") == 2


async def test_what_makes_no_page_is_an_error_of_the_scrape() -> None:
    pages = Pages()
    other = Desc("flatfile_spaces", "gauge", "Other.", ("account",))
    rendered = [lines([Family(desc, [(("one",), 1)])], Format.TEXT_0_0_4) for desc in (SPACES, other)]
    with pytest.raises(ValueError, match="flatfile_spaces"):
        await pages.make(rendered, tuple, Format.TEXT_0_0_4, compressed=False)
    assert await pages.make([], tuple, Format.TEXT_0_0_4, compressed=False) == b""


def test_time_is_reserved_for_the_page() -> None:
    pages = Pages()
    assert pages.reserve(10.0, 1) == MIN_RESERVE
    assert pages.reserve(10.0, 100) == pytest.approx(1.0)
    assert pages.reserve(10.0, 100_000) == 2.5
    assert pages.reserve(0.2, 1) == 0.05
    pages.took(100, 0.4)
    assert pages.reserve(10.0, 100) == 0.4, "it is known now"
    assert pages.reserve(10.0, 1) == MIN_RESERVE, "pages of another size take another time"
