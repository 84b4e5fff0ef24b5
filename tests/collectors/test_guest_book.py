"""The guest book says what a plain table of (guest, space) pairs would say, whatever is written, listed and tidied."""

import math
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.collectors import _guest_book
from exporter.collectors._guest_book import MOST_AT_ONCE, NOBODY, Counts, GuestBook
from exporter.collectors._labels import WINDOWS
from exporter.collectors._space_guests import SpaceGuests
from exporter.flatfile.models import Guest, GuestSpace
from exporter.flatfile.times import iso

NOW = 1763628900.0  # 2025-11-20T08:55:00Z


def guest(id_: str, *spaces: str, seen: str | None = None) -> Guest:
    return Guest(id=id_, environment_id="e", spaces=[GuestSpace(id=space, last_accessed=seen) for space in spaces])


def book_of(listed: Mapping[str, tuple[str, ...]]) -> GuestBook:
    book = GuestBook()
    book.follow(listed)
    return book


def write(book: GuestBook, space: str, guests: Iterable[Guest], asked_at: float = 1) -> None:
    row = book.find(space)
    assert row is not None
    book.write(row, guests, asked_at)


def spaces(book: GuestBook, rows: Iterable[int]) -> list[str]:
    return [book.space(row) for row in rows]


def test_it_counts_a_guest_once_an_environment_and_each_membership() -> None:
    book = book_of({"e": ("s1", "s2"), "f": ("s3",), "empty": ()})
    write(book, "s1", [guest("g1", "s1", "s2", seen="2025-11-20"), guest("g2", "s1")])
    write(book, "s2", [guest("g1", "s2", seen="2025-11-01"), guest("g3", "s2", seen="2024-01-01")])
    write(book, "s3", [guest("g1", "s3")])
    assert book.counts(NOW) == {
        "e": Counts(3, 4, (("1d", 1), ("7d", 1), ("30d", 1))),
        "f": Counts(1, 1, (("1d", 0), ("7d", 0), ("30d", 0))),
        "empty": NOBODY,
    }
    assert book.counts(NOW + 86400)["e"].active == (("1d", 0), ("7d", 1), ("30d", 1))
    assert book.counts(NOW, without={"e"}).keys() == {"f", "empty"}


def test_it_follows_what_is_listed() -> None:
    book = book_of({"e": ("s1", "s2", "s3")})
    for space in ("s1", "s2", "s3"):
        write(book, space, [guest("g1", space)])
    book.follow({"e": ("s4", "s1"), "moved": ("s2",)})
    assert spaces(book, book.unasked()) == ["s4"]
    assert book.counts(NOW).keys() == {"moved"}, "an environment with a space that was not asked is not whole"
    write(book, "s4", [])
    assert {env: counts.memberships for env, counts in book.counts(NOW).items()} == {"e": 1, "moved": 1}
    assert book.find("s3") is None
    book.follow({"e": ("s3",)})
    assert spaces(book, book.unasked()) == ["s3"], "what comes back is asked anew"


def test_an_environment_that_has_gone_is_forgotten() -> None:
    book = book_of({"e": ("s1",), "empty": ()})
    write(book, "s1", [guest("g1", "s1")])
    assert book.counts(NOW).keys() == {"e", "empty"}
    book.follow({"new": ()})
    assert book.tidied().counts(NOW) == book.counts(NOW) == {"new": NOBODY}


def test_what_is_written_of_a_space_that_has_gone_is_not_kept() -> None:
    book = book_of({"e": ("s1", "s2")})
    row = book.find("s1")
    assert row is not None
    book.follow({"e": ("s2",)})
    assert not book.listed(row)
    book.write(row, [guest("g1", "s1")], 1)
    write(book, "s2", [])
    assert book.counts(NOW)["e"].guests == 0


def test_turns_begin_with_the_oldest_page_and_go_round_in_one_cycle() -> None:
    book = book_of({"e": tuple(f"s{number}" for number in range(101))})
    for number in range(100):
        write(book, f"s{number}", [], asked_at=-number)
    assert book.oldest(0, 3600) == []
    assert spaces(book, book.oldest(36, 3600)) == ["s99"]
    assert spaces(book, book.oldest(37, 3600)) == ["s99", "s98"]
    assert len(book.oldest(3600, 3600)) == len(book.oldest(math.inf, 3600)) == 100


def test_a_list_that_does_not_tell_of_a_guest_s_visits_leaves_them_unknown() -> None:
    book = book_of({"e": ("s1", "s2")})
    write(book, "s1", [guest("g1", "s1", seen="2025-11-20")])
    write(book, "s2", [guest("g2", "other")])
    assert book.counts(NOW)["e"] == Counts(2, 2, None)


def test_many_guests_are_counted_as_few_are() -> None:
    """More than are counted together, some of them in several spaces."""
    names = [f"s{number}" for number in range(300)]
    book = book_of({"e": tuple(names)})
    different, pairs = set(), 0
    for number, name in enumerate(names):
        ids = {f"g{(number * 97 + i) % 12_000}" for i in range(100)}
        write(book, name, [guest(id_, name, seen=iso(NOW - int(id_[1:]) * 86.4)) for id_ in ids])
        different |= ids
        pairs += len(ids)
    assert pairs > 2 * MOST_AT_ONCE
    recent = sum(int(id_[1:]) < 1000 for id_ in different)
    assert book.counts(NOW)["e"] == Counts(
        len(different),
        pairs,
        (("1d", recent), ("7d", sum(int(i[1:]) < 7000 for i in different)), ("30d", len(different))),
    )


def test_only_environments_in_which_something_changed_are_counted_again() -> None:
    book = book_of({"e": ("s1",), "f": ("s2",)})
    write(book, "s1", [guest("g1", "s1")])
    write(book, "s2", [guest("g1", "s2")])
    book.counts(NOW)
    tallies = dict(book._tallies)
    write(book, "s1", [guest("g1", "s1")], 2)
    book.counts(NOW)
    assert all(book._tallies[number] is tally for number, tally in tallies.items())
    write(book, "s1", [guest("g2", "s1")], 3)
    book.counts(NOW)
    assert [book._tallies[number] is tally for number, tally in tallies.items()] == [False, True]


def test_a_book_that_is_rewritten_again_and_again_does_not_grow() -> None:
    book = book_of({"e": ("s1", "s2")})
    write(book, "s2", [guest(f"g{number}", "s2") for number in range(10)])
    for turn in range(1000):
        write(book, "s1", [guest(f"g{number}", "s1") for number in range(turn % 7)], turn)
        book = book.tidied()
        assert len(book._guests) <= 30
    for turn in range(1000):
        book.follow({"e": (f"passing{turn}", "s2")})
        book = book.tidied()
        assert len(book._turns) <= 8
    assert book.counts(NOW) == {}
    write(book, "passing999", [])
    assert book.counts(NOW)["e"].guests == 10


def test_the_guests_of_each_space_are_those_of_the_moment() -> None:
    book = book_of({"e": ("s1", "s2"), "f": ("s3",)})
    write(book, "s1", [guest("g1", "s1"), guest("g2", "s1")])
    write(book, "s3", [])
    found = book.by_space()
    write(book, "s2", [guest("g1", "s2")])
    assert dict(found) == {"s1": 2, "s3": 0}
    assert (len(found), found.get("s2"), found.get("unheard of")) == (2, None, None)
    with pytest.raises(KeyError, match="unheard of"):
        found["unheard of"]
    assert dict(book.by_space()) == {"s1": 2, "s2": 1, "s3": 0}
    assert dict(SpaceGuests([], [])) == {}


SPACES, GUESTS, ENVIRONMENTS = ("s0", "s1", "s2", "s3", "s4"), ("g0", "g1", "g2", "g3"), ("e0", "e1")


class Whatever(RuleBasedStateMachine):
    """The book beside plain dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.book = GuestBook()
        self.listed: dict[str, str] = {}
        self.pages: dict[str, dict[str, float | None]] = {}
        self.asked: dict[str, float] = {}

    @rule(listed=st.dictionaries(st.sampled_from(SPACES), st.sampled_from(ENVIRONMENTS)), both=st.booleans())
    def follow(self, listed: dict[str, str], both: bool) -> None:
        environments = ENVIRONMENTS if both else sorted({*listed.values()})
        self.book.follow({env: tuple(s for s, of in listed.items() if of == env) for env in environments})
        self.listed = listed
        self.pages = {space: page for space, page in self.pages.items() if space in listed}

    @rule(
        space=st.sampled_from(SPACES),
        page=st.dictionaries(st.sampled_from(GUESTS), st.none() | st.integers(0, 40)),
        at=st.integers(0, 9),
    )
    def write(self, space: str, page: dict[str, int | None], at: int) -> None:
        row = self.book.find(space)
        assert (row is not None) == (space in self.listed)
        if row is None:
            return
        seen = {id_: None if days is None else NOW - days * 86400.0 for id_, days in page.items()}
        rows = [guest(id_, space, seen=None if moment is None else iso(moment)) for id_, moment in seen.items()]
        self.book.write(row, rows, at)
        self.pages[space], self.asked[space] = seen, at

    @rule()
    def tidy(self) -> None:
        self.book = self.book.tidied()

    @invariant()
    def says_the_same(self) -> None:
        assert sorted(spaces(self.book, self.book.unasked())) == sorted(self.listed.keys() - self.pages.keys())
        assert dict(self.book.by_space()) == {space: len(page) for space, page in self.pages.items()}
        turns = spaces(self.book, self.book.oldest(1, 2))
        assert len(turns) == math.ceil(len(self.pages) / 2)
        assert sorted(self.asked[space] for space in turns) == sorted(self.asked[s] for s in self.pages)[: len(turns)]
        counts = self.book.counts(NOW)
        for environment in {*self.listed.values()}:
            here = [space for space, of in self.listed.items() if of == environment]
            if any(space not in self.pages for space in here):
                assert environment not in counts
                continue
            latest: dict[str, float] = {}
            for space in here:
                for id_, moment in self.pages[space].items():
                    latest[id_] = max(latest.get(id_, -math.inf), -math.inf if moment is None else moment)
            active = tuple((name, sum(at > NOW - seconds for at in latest.values())) for name, seconds in WINDOWS)
            assert counts[environment] == Counts(len(latest), sum(len(self.pages[space]) for space in here), active)


TestWhatever = Whatever.TestCase
TestWhatever.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


@given(st.dictionaries(st.text(), st.integers(0, 2**32 - 1)))
def test_any_spaces_are_found_again(numbers: dict[str, int]) -> None:
    found = SpaceGuests([tuple(numbers)], numbers.items())
    assert dict(found) == numbers
    assert _guest_book.same(tuple(numbers), tuple(numbers))
