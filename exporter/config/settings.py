"""Settings on top of one another (an account's, the file's, the defaults), given out by path with their types."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from exporter.config.keys import ACCOUNT
from exporter.config.problems import Place, Problems
from exporter.config.reader import Block, Setting
from exporter.config.schema import keys
from exporter.config.types import Globs
from exporter.config.values import read_value
from exporter.config.yaml_tree import compose

T = TypeVar("T")


class Settings:
    """What holds for one account."""

    def __init__(self, top: Block | None, account: Block) -> None:
        self._top = top
        self._account = account
        self._written = (top.settings if top else {}) | account.settings

    def written(self, path: str) -> Setting | None:
        """The setting when the file has it, in the account or at the top."""
        return self._written.get(path)

    def is_broken(self, path: str) -> bool:
        """True when what holds is written but cannot be used, so that nothing can be said about it."""
        if self._account.is_broken(path):
            return True
        return path not in self._account.settings and self._top is not None and self._top.is_broken(path)

    def get(self, path: str, kind: type[T]) -> T:
        """The value, by default the schema's. Raises TypeError where the schema says another type."""
        value = self.optional(path, kind)
        if value is None:
            raise TypeError(f"{path} has no value")
        return value

    def optional(self, path: str, kind: type[T]) -> T | None:
        """The same for a key that may be null or left out."""
        setting = self._written.get(path)
        value = _defaults().get(path) if setting is None else setting.value
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{path} is no {kind.__name__}")
        return value

    def seconds(self, path: str) -> float:
        """A duration."""
        return self.get(path, float)

    def globs(self, path: str) -> Globs:
        """The `include` and `exclude` of a section."""
        return Globs(self.get(f"{path}.include", tuple), self.get(f"{path}.exclude", tuple))


@cache
def _defaults() -> Mapping[str, Any]:
    """Each default as the loader would read it from a file."""
    problems = Problems("defaults")
    found = {}
    for path, key in keys(ACCOUNT):
        node = None if key.default is None else compose(key.default)
        if node is not None:
            found[path] = read_value(node, key, Place(1, 1, path), problems)
    if problems.count:
        raise ValueError("\n".join(problems.lines()))
    return found
