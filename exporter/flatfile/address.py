"""Under which of its two documented path prefixes the API answers. Pure."""

from exporter.flatfile.statuses import PathCheck, check_path, other_prefix
from exporter.flatfile.transport import Answer

RETRY = 300.0  # seconds before the other path prefix is tried again


class Address:
    """The API's base URL: as configured, until the other prefix on the same host turns out to be the right one."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._known = False
        self._tried_at: float | None = None

    def alternative(self, base: str, answer: Answer, now: float) -> str | None:
        """Return where to ask once more, if `base` may be the wrong place by its answer. `now`: monotonic seconds."""
        if check_path(answer) is PathCheck.RIGHT:
            self._known |= base == self.base and answer.status < 300
            return None
        if base != self.base:
            return self.base  # another request has found the right one meanwhile
        tried = self._tried_at is not None and now < self._tried_at + RETRY
        return None if self._known or tried else other_prefix(base)

    def prefer(self, base: str, second: Answer, first: Answer, now: float) -> bool:
        """Whether the second answer, from `base`, is the one to use; then the API is there from now on."""
        if second.status >= 500 or second.status in (408, 429):
            return False  # says nothing about the place
        self._tried_at = now
        if check_path(second) <= check_path(first):
            return False
        self.base = base
        self._known |= second.status < 300
        return True

    def is_wrong(self, answer: Answer) -> bool:
        """Whether the base URL may be wrong: it has never answered as the API does, and this answer is not the API's."""
        return not self._known and check_path(answer) is PathCheck.WRONG
