"""The errors and warnings of a configuration file, each with its position, in the order of the file."""

from dataclasses import dataclass, field

MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file: line and column (from 1), and the path of keys."""

    line: int
    column: int
    path: str

    def below(self, suffix: str) -> str:
        """Return the path of something inside."""
        if not self.path or suffix.startswith("["):
            return self.path + suffix
        return f"{self.path}.{suffix}"


@dataclass(slots=True)
class Problems:
    """The errors and warnings of one file. `count` includes errors that are not listed any more."""

    filename: str
    count: int = 0
    _found: list[tuple[int, int, str]] = field(default_factory=list)
    _warned: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether further errors are not listed."""
        return len(self._found) >= MAX_SHOWN

    def add(self, place: Place, message: str) -> None:
        """Add an error: the file cannot be used."""
        self.count += 1
        if not self.full:
            self._found.append((place.line, place.column, _worded(place, message)))

    def warn(self, place: Place, message: str) -> None:
        """Add a warning: the file can be used, but probably does not say what was meant."""
        if len(self._warned) < MAX_SHOWN:
            self._warned.append((place.line, place.column, _worded(place, message)))

    def lines(self) -> tuple[str, ...]:
        """Return the errors as `file:line:column: path: message`, each once."""
        lines = self._sorted(self._found)
        if self.count > len(self._found):
            last = max(self._found)
            lines += (f"{self.filename}:{last[0]}:{last[1]}: more errors are not shown",)
        return lines

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings in the same form."""
        return self._sorted(self._warned)

    def _sorted(self, found: list[tuple[int, int, str]]) -> tuple[str, ...]:
        return tuple(f"{self.filename}:{line}:{column}: {text}" for line, column, text in sorted(set(found)))


def _worded(place: Place, message: str) -> str:
    return f"{place.path}: {message}" if place.path else message
