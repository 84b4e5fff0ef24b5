"""What is known of the rows of one list, in columns: about 90 bytes a row, ids included. Pure."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import compress
from typing import Literal, NamedTuple, overload

from exporter.core.identities import Rows, number

NEVER = UNKNOWN = float("-inf")  # in a column of times, of counts: the API did not say
ACTIVE, ARCHIVED, EXPIRED = 0, 1, 2
STATES = ("active", "archived", "expired")

Column = Literal["created", "activity"]


class Entry(NamedTuple):
    """One row. Times in unix seconds or `NEVER`; `seen` is the last sign of life, `updated` tells which of two is newer.

    `group` is what is counted by, the environment's id. `state` is one of `STATES` by its place. A count is `UNKNOWN`
    where the API leaves it out. `names` are texts of its own.
    """

    id: str
    group: str
    state: int = ACTIVE
    created: float = NEVER
    activity: float = NEVER
    seen: float = NEVER
    updated: float = NEVER
    files: float = UNKNOWN
    workbooks: float = UNKNOWN
    names: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """Times and counts, in the order of the columns."""
        return (self.created, self.activity, self.seen, self.updated, self.files, self.workbooks)


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of a group; `None` where the API did not say. Times in unix seconds."""

    active: int
    archived: int
    expired: int
    inactive: tuple[int, ...] | None  # as the times without activity that were asked for
    files: float | None
    workbooks: float | None
    last_created: float | None
    last_activity: float | None

    @property
    def all(self) -> int:
        """In whatever state."""
        return self.active + self.archived + self.expired


class Ids(Sequence[str]):
    """Ids of some rows of a book, as they were when this was made. A book never moves or changes an id."""

    def __init__(self, text: bytearray, ends: "array[int]", rows: "array[int]") -> None:
        self._text = text
        self._ends = ends
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> "Ids": ...

    def __getitem__(self, index: int | slice) -> "str | Ids":
        if isinstance(index, slice):
            return Ids(self._text, self._ends, self.rows[index])
        row = self.rows[index]
        return self._text[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogatepass")


class Book:
    """Rows by id, each in one or more of up to two lists of the same objects, such as with and without archived ones.

    A list is a bit, 1 or 2. A row that is in no list any more stays as a blank until the next book; nothing is ever moved.
    Within one reading (from `turn` to `turn`) an older row never replaces a newer one. Names are kept of `named` rows at the
    least, those with the latest sign of life (`seen`); of rows of one moment, those with the greatest ids.
    """

    def __init__(self, named: int = 0) -> None:
        self._named = named
        self._names: dict[int, tuple[str, ...]] = {}
        self._index = Rows()
        self._text = bytearray()
        self._ends = array("I", [0])
        self._groups: list[str] = []
        self._group_numbers: dict[str, int] = {}
        self._group = array("I")
        self._lists = bytearray()
        self._states = bytearray()
        self._turns = array("I")
        self._turn = 0
        self._columns = tuple(array("d") for _ in range(6))
        created, activity, self._seen, self._updated, self._files, self._workbooks = self._columns
        self._times: dict[Column, array[float]] = {"created": created, "activity": activity}
        self._members = {1: 0, 2: 0}
        self._of_group: dict[str, Ids] = {}
        self._sums: dict[str, Counts] = {}

    def __contains__(self, identity: str) -> bool:
        row = self._index.find(number(identity))
        return row is not None and self._lists[row] != 0

    def turn(self) -> None:
        """A new reading begins: what is read from here on is newer than all from before."""
        self._turn += 1

    def find(self, identity: str) -> int | None:
        """Give the row of an id that has ever been in the book."""
        return self._index.find(number(identity))

    def put(self, bit: int, entry: Entry) -> tuple[int, bool]:
        """Write down that a list has this row. Gives the row, and whether the book said otherwise before."""
        row = self._index.row(number(entry.id))
        if row == len(self._lists):
            self._append(entry)
            changed = True
        else:
            changed = self._overwrite(row, entry)
        if not self._lists[row] & bit:
            self._mark(row, self._lists[row] | bit)
            changed = True
        if self._named and entry.names:
            self._names[row] = entry.names
            if len(self._names) >= 2 * self._named:
                self._names = {row: self._names[row] for row in self.latest(self._named)}
        return row, changed

    def latest(self, most: int) -> list[int]:
        """The rows with the latest sign of life, of those that have names: the latest first, at most so many."""
        present = [row for row in self._names if self._lists[row]]
        return nlargest(most, present, key=lambda row: (self._seen[row], self._id(row)))

    def _id(self, row: int) -> str:
        return self._text[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogatepass")

    def _append(self, entry: Entry) -> None:
        self._text += entry.id.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._text))
        self._group.append(self._number_of(entry.group))
        self._lists.append(0)
        self._states.append(entry.state)
        self._turns.append(self._turn)
        for column, value in zip(self._columns, entry.numbers, strict=True):
            column.append(value)

    def _overwrite(self, row: int, entry: Entry) -> bool:
        if self._turns[row] == self._turn and entry.updated < self._updated[row]:
            return False
        self._turns[row] = self._turn
        group, numbers = self._number_of(entry.group), entry.numbers
        moved = group != self._group[row]
        same = numbers == tuple([column[row] for column in self._columns])  # a list is quicker than a generator
        if same and not moved and entry.state == self._states[row]:
            return False
        self._forget(row, members=moved)
        self._states[row], self._group[row] = entry.state, group
        for column, value in zip(self._columns, numbers, strict=True):
            column[row] = value
        self._forget(row, members=moved)
        return True

    def _number_of(self, group: str) -> int:
        found = self._group_numbers.setdefault(group, len(self._groups))
        if found == len(self._groups):
            self._groups.append(group)
        return found

    def _mark(self, row: int, lists: int) -> None:
        before = self._lists[row]
        for bit in (1, 2):
            self._members[bit] += bool(lists & bit) - bool(before & bit)
        self._lists[row] = lists
        self._forget(row, members=not (lists and before))

    def _forget(self, row: int, *, members: bool) -> None:
        """What was worked out for the row's group holds no longer."""
        group = self._groups[self._group[row]]
        self._sums.pop(group, None)
        if members:
            self._of_group.pop(group, None)

    def clear(self, bit: int) -> None:
        """Take all rows out of a list: it is read from its beginning."""
        keep = 3 ^ bit
        self._lists = bytearray(lists & keep for lists in self._lists)
        self._members[bit] = 0
        self._sums.clear()
        self._of_group.clear()

    def drop(self, bit: int, rows: Iterable[int]) -> None:
        """Take rows out of a list."""
        for row in rows:
            if self._lists[row] & bit:
                self._mark(row, self._lists[row] & (3 ^ bit))

    def between(self, bit: int, column: Column, low: float, high: float) -> list[int]:
        """The rows of a list whose time lies between these, ends left out."""
        rows = [row for row, at in enumerate(self._times[column]) if low < at < high]
        return [row for row in rows if self._lists[row] & bit]

    def rank(self, bit: int, created: float) -> int:
        """How many rows of a list are known to have been created before."""
        return len(self.between(bit, "created", NEVER, created))

    def unknown(self, column: Column) -> bool:
        """Whether a row has no such time."""
        return any(at == NEVER and lists for at, lists in zip(self._times[column], self._lists, strict=True))

    def newest(self, bit: int, column: Column, until: float) -> float:
        """The newest time in a list that is not after `until`; `NEVER` where there is none."""
        return max(
            (at for at, lists in zip(self._times[column], self._lists, strict=True) if at <= until and lists & bit),
            default=NEVER,
        )

    def members(self, bit: int) -> int:
        """How many rows a list has."""
        return self._members[bit]

    def lists(self, row: int) -> int:
        """Which lists the row is in."""
        return self._lists[row]

    def state(self, row: int) -> int:
        """The state of what is in the row."""
        return self._states[row]

    def created(self, row: int) -> float:
        """When what is in the row was created."""
        return self._times["created"][row]

    def activity(self, row: int) -> float:
        """When something last happened in what is in the row."""
        return self._times["activity"][row]

    def entry(self, row: int) -> Entry:
        """What is written in a row."""
        created, activity, seen, updated, files, workbooks = (column[row] for column in self._columns)
        return Entry(
            self._id(row),
            self._groups[self._group[row]],
            self._states[row],
            created,
            activity,
            seen,
            updated,
            files,
            workbooks,
            self._names.get(row, ()),
        )

    def groups(self) -> Iterator[str]:
        """The groups that have a row in some list."""
        present = set(compress(self._group, self._lists))
        return (group for place, group in enumerate(self._groups) if place in present)

    def ids(self, group: str) -> Ids:
        """The ids of a group: the same object as long as they are the same."""
        found = self._of_group.get(group)
        if found is None:
            place = self._group_numbers.get(group, -1)
            pairs = zip(self._group, self._lists, strict=True)
            rows = array("I", [row for row, (of, lists) in enumerate(pairs) if of == place and lists])
            found = self._of_group[group] = Ids(self._text, self._ends, rows)
        return found

    def counts(self, group: str, now: float, idle: Sequence[float]) -> Counts:
        """Count a group at `now` (unix seconds). A sum that lacks one row's share is not known."""
        rows = self.ids(group).rows
        seen, states = self._seen, self._states
        last = [seen[row] for row in rows if states[row] == ACTIVE]
        known = not last or min(last) > NEVER
        inactive = tuple(sum(at <= now - seconds for at in last) for seconds in idle) if known else None
        sums = self._sums.get(group)
        if sums is None:
            sums = self._sums[group] = self._summed(rows)
        return replace(sums, inactive=inactive)

    def _summed(self, rows: Sequence[int]) -> Counts:
        states = Counter(self._states[row] for row in rows)
        return Counts(
            active=states[ACTIVE],
            archived=states[ARCHIVED],
            expired=states[EXPIRED],
            inactive=None,
            files=_known(sum(self._files[row] for row in rows)),
            workbooks=_known(sum(self._workbooks[row] for row in rows)),
            last_created=_known(max((self._times["created"][row] for row in rows), default=NEVER)),
            last_activity=_known(max((self._times["activity"][row] for row in rows), default=NEVER)),
        )


def _known(value: float) -> float | None:
    return value if value > UNKNOWN else None
