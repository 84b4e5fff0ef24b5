"""What did not change is neither collected, rendered nor packed again; what changed is on the next page."""

import gzip
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition.cache import Kept, Pages, Part
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.exposition.text import Format, Lines, lines, render

TEXT, OPENMETRICS = Format
SPACES = Desc("flatfile_spaces", "gauge", "Spaces.", ("account",))
USERS = Desc("flatfile_users", "gauge", "Users.", ("account",))
OWN = Desc("flatfile_exporter_build_info", "gauge", "Build.", ())


class Source:
    """A collector: its value, the time that it is of, and how often it was asked."""

    def __init__(self, value: float = 1, at: float = 0, desc: Desc = SPACES, account: str = "acme") -> None:
        self.value, self.at, self.revision, self.asked = value, at, 0, 0
        self._desc, self._account = desc, account

    def families(self, fresh: Freshness) -> Iterator[Family]:
        self.asked += 1
        if fresh(self.at):
            yield Family(self._desc, [((self._account,), self.value)])

    def part(self, max_age: float = 100) -> Part:
        return Part(self._desc.name, self.revision, self.families, max_age)


def text(rendered: Lines) -> bytes:
    return b"".join(block for _, block in rendered.blocks)


def test_what_has_not_changed_is_not_asked_for_again() -> None:
    kept, source = Kept(), Source()
    first = kept.lines(source.part(), TEXT, 10)
    source.value = 2  # not shown before the revision says so
    assert kept.lines(source.part(), TEXT, 20) is first
    assert source.asked == 1
    source.revision += 1
    assert text(kept.lines(source.part(), TEXT, 20)) == b'flatfile_spaces{account="acme"} 2\n'


def test_lines_that_come_out_the_same_are_the_same() -> None:
    kept, source = Kept(), Source()
    first = kept.lines(source.part(), TEXT, 10)
    source.revision += 1
    assert kept.lines(source.part(), TEXT, 20) is first
    assert source.asked == 2


def test_what_becomes_too_old_goes() -> None:
    kept, source = Kept(), Source()
    assert kept.lines(source.part(), TEXT, 10).blocks
    assert kept.lines(source.part(), TEXT, 100).blocks
    assert source.asked == 1
    assert not kept.lines(source.part(), TEXT, 100.1).blocks
    assert kept.lines(source.part(), TEXT, 50).blocks, "a clock that was set back"


def test_each_format_has_its_own_and_an_outdated_one_is_let_go_of() -> None:
    kept, source = Kept(), Source()
    first = {fmt: kept.lines(source.part(), fmt, 10) for fmt in Format}
    assert [text(first[fmt]).split()[-1] for fmt in Format] == [b"1", b"1.0"]
    assert all(kept.lines(source.part(), fmt, 10) is first[fmt] for fmt in Format)
    source.revision += 1
    assert kept.lines(source.part(), TEXT, 10) is first[TEXT]
    assert kept.lines(source.part(), OPENMETRICS, 10) is not first[OPENMETRICS]


def test_a_state_that_changes_while_it_is_rendered_is_rendered_once_more() -> None:
    kept, source = Kept(), Source()

    def changing(fresh: Freshness) -> Iterable[Family]:
        found = [*source.families(fresh)]
        source.value, source.revision = 2, 1
        return found

    kept.lines(Part(SPACES.name, source.revision, changing, 100), TEXT, 10)
    assert text(kept.lines(source.part(), TEXT, 10)) == b'flatfile_spaces{account="acme"} 2\n'


def page(pages: Pages, accounts: Sequence[Kept], sources: Sequence[Sequence[Source]], fmt: Format = TEXT) -> bytes:
    """Both ways of a page, which must agree."""
    parts = [
        {each.part().name: kept.lines(each.part(), fmt, 10) for each in own}
        for kept, own in zip(accounts, sources, strict=True)
    ]
    more = lines([Family(OWN, [((), 1)])], fmt)
    plain = pages.page(parts, more, fmt, packed=False)
    assert gzip.decompress(pages.page(parts, more, fmt, packed=True).body) == plain.body
    return plain.body


@pytest.mark.parametrize("fmt", Format)
@settings(deadline=None, max_examples=50)
@given(changes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2)), max_size=10))
def test_a_page_is_as_if_rendered_anew(fmt: Format, changes: list[tuple[int, int, int]]) -> None:
    pages, accounts = Pages(), [Kept() for _ in range(3)]
    sources = [[Source(desc=desc, account=str(number)) for desc in (SPACES, USERS)] for number in range(3)]
    for account, which, value in [(0, 0, 1), *changes]:
        changed = sources[account][which]
        changed.value, changed.revision = value, changed.revision + 1
        columns = zip(*sources, strict=True)
        anew = [family for column in columns for each in column for family in each.families(Freshness(10, 100))]
        anew.append(Family(OWN, [((), 1)]))
        assert page(pages, accounts, sources, fmt) == render(anew, fmt).body


def test_a_chunk_is_packed_once_while_none_of_its_accounts_changes() -> None:
    pages, kept = Pages(), [Kept(), Kept()]
    sources = [Source(account="one"), Source(account="two")]

    def packed() -> object:
        parts = [{SPACES.name: k.lines(s.part(), TEXT, 10)} for k, s in zip(kept, sources, strict=True)]
        pages.page(parts, Lines((), 0), TEXT, packed=True)
        return pages._chunks[SPACES.name, TEXT].packed

    first = packed()
    assert packed() is first
    sources[1].revision += 1
    assert packed() is first, "a refresh that changed nothing"
    sources[1].value, sources[1].revision = 5, 2
    assert packed() is not first


def test_dropped_samples_are_counted_on_every_page() -> None:
    twice = lines([Family(SPACES, [(("acme",), 1), (("acme",), 2)])], TEXT)
    pages = Pages()
    for _ in range(2):
        assert pages.page([{"spaces": twice}], twice._replace(blocks=()), TEXT, packed=True).dropped == 2


def test_a_family_of_two_parts_is_an_error() -> None:
    one = lines([Family(SPACES, [(("acme",), 1)])], TEXT)
    with pytest.raises(ValueError, match=r"families of two parts: .'flatfile_spaces'"):
        Pages().page([{"spaces": one, "other": one}], Lines((), 0), TEXT, packed=False)


def test_two_accounts_with_different_parts_make_one_page() -> None:
    pages = Pages()
    users = lines([Family(USERS, [(("one",), 1)])], TEXT)
    spaces = [lines([Family(SPACES, [((name,), 1)])], TEXT) for name in ("one", "two")]
    body = pages.page(
        [{"users": users, "spaces": spaces[0]}, {"spaces": spaces[1]}], Lines((), 0), TEXT, packed=False
    ).body
    assert body.count(b"# TYPE") == 2
    assert body.count(b"\nflatfile_spaces{") == 2


async def test_time_is_left_for_the_page() -> None:
    pages = Pages()
    assert pages.needs(10.0) == 0.0
    assert pages.needs(10.0, accounts=101) == pytest.approx(1.0)
    assert pages.needs(10.0, accounts=100_000) == 2.5
    await pages.in_turn(lambda: None)
    assert 0.0 < pages.needs(10.0, accounts=101) < 1.0, "it is known now"
