"""The book of a list: what it says after any writing is what dicts would say, in a fraction of the memory."""

import tracemalloc
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors._book import ACTIVE, NEVER, Book, Entry

TIMES = st.sampled_from([NEVER, 1.0, 2.0, 3.0, 4.0])
ENTRIES = st.builds(
    Entry,
    id=st.sampled_from(["a", "b", "é", "d" * 40]),
    group=st.sampled_from(["one", "two"]),
    state=st.integers(0, 2),
    created=TIMES,
    activity=TIMES,
    seen=TIMES,
    updated=TIMES,
    files=TIMES,
    workbooks=TIMES,
    names=st.just(()),
)
STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(1, 2), ENTRIES)
    | st.tuples(st.sampled_from(["turn", "clear", "drop"]), st.integers(1, 2), ENTRIES),
    max_size=30,
)


@given(STEPS)
def test_it_says_what_was_written(steps: list[tuple[str, int, Entry]]) -> None:
    book = Book()
    known: dict[str, tuple[int, Entry]] = {}
    turn = 0
    lists: dict[int, set[str]] = {1: set(), 2: set()}
    for what, bit, entry in steps:
        if what == "turn":
            turn += 1
            book.turn()
        elif what == "clear":
            lists[bit] = set()
            book.clear(bit)
        elif what == "drop":
            row = book.find(entry.id)
            assert (row is None) is (entry.id not in known)
            if row is not None:
                lists[bit].discard(entry.id)
                book.drop(bit, [row])
        else:
            before = known.get(entry.id)
            if before is None or before[0] != turn or entry.updated >= before[1].updated:
                known[entry.id] = (turn, entry)
            changed = before is None or known[entry.id][1] != before[1] or entry.id not in lists[bit]
            lists[bit].add(entry.id)
            row, said = book.put(bit, entry)
            assert (said, book.find(entry.id)) == (changed, row)
        check(book, {identity: entry for identity, (_, entry) in known.items()}, lists)


def check(book: Book, known: Mapping[str, Entry], lists: Mapping[int, set[str]]) -> None:
    present = lists[1] | lists[2]
    for bit, names in lists.items():
        assert book.members(bit) == len(names)
        between = {book.entry(row).id for row in book.between(bit, "activity", 1.0, 4.0)}
        assert between == {name for name in names if 1.0 < known[name].activity < 4.0}
        newest = max((at for name in names if (at := known[name].created) <= 3.0), default=NEVER)
        assert book.newest(bit, "created", 3.0) == newest
    for name, entry in known.items():
        row = book.find(name)
        assert row is not None
        assert book.entry(row) == entry
        assert (name in book) is (name in present)
    assert {*book.groups()} == {known[name].group for name in present}
    for group in ("one", "two"):
        rows = [known[name] for name in present if known[name].group == group]
        assert sorted(book.ids(group)) == sorted(entry.id for entry in rows)
        counts = book.counts(group, 10.0, (8.0,))
        assert counts.all == len(rows)
        active = [entry.seen for entry in rows if entry.state == ACTIVE]
        assert counts.inactive == (None if NEVER in active else (sum(at <= 2.0 for at in active),))
        files = [entry.files for entry in rows]
        assert counts.files == (None if NEVER in files else sum(files))
        last = max((entry.activity for entry in rows), default=NEVER)
        assert counts.last_activity == (None if last == NEVER else last)


def test_ids_are_the_same_object_until_they_change() -> None:
    book = Book()
    row, _ = book.put(1, Entry("a", "one"))
    ids = book.ids("one")
    book.put(1, Entry("a", "one", files=3.0))
    assert book.ids("one") is ids
    book.put(1, Entry("b", "one"))
    book.drop(1, [row])
    assert [*ids] == ["a"], "as they were"
    assert [*book.ids("one")] == ["b"]
    assert (book.ids("one")[0], [*book.ids("one")[1:]], len(book.ids("two"))) == ("b", [], 0)


def test_names_are_kept_of_those_that_were_active_last() -> None:
    book = Book(named=3)
    for index in range(20):
        book.put(1, Entry(f"{index:02}", "one", seen=float(index % 10), names=(f"name {index}",)))
    latest = [book.entry(row) for row in book.latest(3)]
    assert [(entry.id, entry.names) for entry in latest] == [
        ("19", ("name 19",)),
        ("09", ("name 9",)),
        ("18", ("name 18",)),
    ]
    assert sum(bool(book.entry(row).names) for row in range(20)) < 6
    row = book.find("19")
    assert row is not None
    book.drop(1, [row])
    assert book.entry(book.latest(1)[0]).id == "09"


def test_a_row_takes_a_hundred_bytes() -> None:
    tracemalloc.start()
    try:
        book = Book()
        for index in range(5_000):
            book.put(1, Entry(f"us_sp_{index:08}", "us_env_1", created=float(index), activity=float(index)))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / 5_000 < 130
