"""What is wrong with a configuration, collected: all of it, each with its place, in the order of the file."""

from dataclasses import dataclass, field

MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the line and column in the file (from 1), and the path of keys that leads there."""

    line: int
    column: int
    path: str

    def below(self, suffix: str) -> str:
        """The path of something inside."""
        if not self.path or suffix.startswith("["):
            return self.path + suffix
        return f"{self.path}.{suffix}"


@dataclass(slots=True)
class Problems:
    """Problems and warnings of one file. `count` goes on where the list is full."""

    filename: str
    count: int = 0
    _found: list[tuple[int, int, str]] = field(default_factory=list)
    _warned: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """True when more problems would not be shown."""
        return len(self._found) >= MAX_SHOWN

    def add(self, place: Place, message: str) -> None:
        """The file cannot be used."""
        self.count += 1
        if not self.full:
            self._found.append((place.line, place.column, _worded(place, message)))

    def warn(self, place: Place, message: str) -> None:
        """The file can be used, but hardly says what was meant."""
        if len(self._warned) < MAX_SHOWN:
            self._warned.append((place.line, place.column, _worded(place, message)))

    def lines(self) -> tuple[str, ...]:
        """`file:line:column: path: message`, each once."""
        lines = self._sorted(self._found)
        if self.count > len(self._found):
            last = max(self._found)
            lines += (f"{self.filename}:{last[0]}:{last[1]}: there are more problems than are shown here",)
        return lines

    def warnings(self) -> tuple[str, ...]:
        """In the same form."""
        return self._sorted(self._warned)

    def _sorted(self, found: list[tuple[int, int, str]]) -> tuple[str, ...]:
        return tuple(f"{self.filename}:{line}:{column}: {text}" for line, column, text in sorted(set(found)))


def _worded(place: Place, message: str) -> str:
    return f"{place.path}: {message}" if place.path else message
