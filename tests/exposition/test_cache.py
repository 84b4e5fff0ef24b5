"""What did not change is neither selected nor rendered again; what changed is on the next page."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.exposition.cache import AccountCache, Part
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.exposition.text import Format, Lines, join
from tests.exposition.rendered import render

TEXT, OPENMETRICS = Format
SPACES = Desc("flatfile_spaces", "gauge", "Spaces.", ("account",))
USERS = Desc("flatfile_users", "gauge", "Users.", ("account",))


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


def lines(cache: AccountCache, part: Part, fmt: Format, now: float) -> Lines:
    [rendered] = cache.lines([part], fmt, now).values()
    return rendered


def test_what_has_not_changed_is_not_asked_for_again() -> None:
    cache, source = AccountCache(), Source()
    first = lines(cache, source.part(), TEXT, 10)
    source.value = 2  # not shown before the revision says so
    assert lines(cache, source.part(), TEXT, 20) is first
    assert source.asked == 1
    source.revision += 1
    assert text(lines(cache, source.part(), TEXT, 20)) == b'flatfile_spaces{account="acme"} 2\n'


def test_what_becomes_too_old_goes() -> None:
    cache, source = AccountCache(), Source()
    assert lines(cache, source.part(), TEXT, 10).blocks
    assert lines(cache, source.part(), TEXT, 100).blocks
    assert source.asked == 1
    assert not lines(cache, source.part(), TEXT, 100.1).blocks
    assert lines(cache, source.part(), TEXT, 50).blocks, "a clock that was set back"


def test_each_format_has_its_own_and_an_outdated_one_is_dropped() -> None:
    cache, source = AccountCache(), Source()
    first = {fmt: lines(cache, source.part(), fmt, 10) for fmt in Format}
    assert [text(first[fmt]).split()[-1] for fmt in Format] == [b"1", b"1.0"]
    assert all(lines(cache, source.part(), fmt, 10) is first[fmt] for fmt in Format)
    source.value, source.revision = 2, 1
    assert text(lines(cache, source.part(), TEXT, 10)).split()[-1] == b"2"
    assert cache.cached(OPENMETRICS, 10) == {}
    assert text(lines(cache, source.part(), OPENMETRICS, 10)).split()[-1] == b"2.0"


def test_a_state_that_changes_while_it_is_rendered_is_rendered_once_more() -> None:
    cache, source = AccountCache(), Source()

    def changing(fresh: Freshness) -> Iterable[Family]:
        found = [*source.families(fresh)]
        source.value, source.revision = 2, 1
        return found

    lines(cache, Part(SPACES.name, source.revision, changing, 100), TEXT, 10)
    assert text(lines(cache, source.part(), TEXT, 10)) == b'flatfile_spaces{account="acme"} 2\n'


@pytest.mark.parametrize("fmt", Format)
@settings(deadline=None, max_examples=50)
@given(changes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 2)), max_size=10))
def test_a_page_is_as_if_nothing_was_cached(fmt: Format, changes: list[tuple[int, int, int]]) -> None:
    caches = [AccountCache() for _ in range(3)]
    sources = [[Source(desc=desc, account=str(number)) for desc in (SPACES, USERS)] for number in range(3)]
    for account, which, value in [(0, 0, 1), *changes]:
        changed = sources[account][which]
        changed.value, changed.revision = value, changed.revision + 1
        fresh = [family for own in sources for each in own for family in each.families(Freshness(10, 100))]
        rendered = [
            part
            for cache, own in zip(caches, sources, strict=True)
            for part in cache.lines([each.part() for each in own], fmt, 10).values()
        ]
        assert join(rendered, fmt) == render(fresh, fmt).body


def test_cached_lines_are_those_rendered_last_and_within_max_age() -> None:
    cache, old, new = AccountCache(), Source(at=0), Source(at=50, desc=USERS)
    assert cache.cached(TEXT, 10) == {}
    rendered = cache.lines([old.part(), new.part()], TEXT, 60)
    old.revision += 1
    assert cache.cached(TEXT, 100) == rendered
    assert cache.cached(OPENMETRICS, 100) == {}, "a page of another format has nothing yet"
    assert cache.cached(TEXT, 100, [SPACES.name]) == {SPACES.name: rendered[SPACES.name]}
    assert cache.cached(TEXT, 100.1) == {USERS.name: rendered[USERS.name]}
    assert cache.cached(TEXT, 150.1) == {}


def test_current_lines_are_those_of_all_parts_or_none() -> None:
    cache, spaces, users = AccountCache(), Source(), Source(at=50, desc=USERS)
    states = {source.part().name: source.revision for source in (spaces, users)}
    assert cache.current(states, TEXT, 60) is None
    rendered = cache.lines([spaces.part(), users.part()], TEXT, 60)
    assert cache.current(states, TEXT, 60) == rendered
    assert cache.current({SPACES.name: 0}, TEXT, 60) == {SPACES.name: rendered[SPACES.name]}
    assert cache.current(states, OPENMETRICS, 60) is None
    assert cache.current(states | {USERS.name: 1}, TEXT, 60) is None
    assert cache.current(states, TEXT, 100.1) is None, "the spaces are too old"
    assert cache.current(states, TEXT, 59) is None, "a clock that was set back"


def test_cut_values_are_counted_when_they_are_rendered() -> None:
    cache = AccountCache()
    part = Part("spaces", 1, lambda _: [Family(SPACES, [(("x" * 201,), 1), (("y" * 200,), 1)])])
    for _ in range(2):
        assert lines(cache, part, TEXT, 1).truncated == 1
        assert cache.truncated == 1
