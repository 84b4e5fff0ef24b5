"""Under which of its two documented path prefixes the API answers. Pure."""

from exporter.flatfile.statuses import other_prefix, wrong_place
from exporter.flatfile.transport import Answer

RETRY = 300.0  # seconds before the other path prefix is tried again


class Address:
    """The API's base URL: as configured, until the other prefix on the same host turns out to be the right one."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._known = False
        self._tried_at: float | None = None

    def instead(self, base: str, answer: Answer, now: float) -> str | None:
        """Where to ask once more, because `base` gave an answer as from a path that is not there. `now`: monotonic seconds."""
        if not wrong_place(answer):
            self._known |= base == self.base and answer.status < 300
            return None
        if base != self.base:
            return self.base  # another request has found the right one meanwhile
        tried = self._tried_at is not None and now < self._tried_at + RETRY
        return None if self._known or tried else other_prefix(base)

    def is_better(self, base: str, answer: Answer, now: float) -> bool:
        """Whether the answer from there is the one to use; then the API is there from now on."""
        if answer.status >= 500 or answer.status in (408, 429):
            return False  # says nothing about the place
        self._tried_at = now
        if wrong_place(answer):
            return False
        self.base = base
        self._known |= answer.status < 300
        return True
