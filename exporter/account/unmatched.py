"""What an account's configuration names and the account does not have: kept for people, and logged at each change."""

import logging
from collections.abc import Sequence

from exporter.core.logs import fields

log = logging.getLogger(__name__)

MAX_LOGGED = 10  # of one refresh


class Unmatched:
    """Sentences by the collector that reported them last."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._reported: dict[str, Sequence[str]] = {}

    def report(self, collector: str, sentences: Sequence[str]) -> None:
        """Replace a collector's sentences, and log those that are new."""
        before = {*self._reported.get(collector, ())}
        new = [sentence for sentence in sentences if sentence not in before]
        self._reported[collector] = sentences
        for sentence in new[:MAX_LOGGED]:
            log.warning("configuration matches nothing", extra=fields(account=self._account, warning=sentence))
        if len(new) > MAX_LOGGED:
            more = len(new) - MAX_LOGGED
            log.warning("configuration matches nothing", extra=fields(account=self._account, more=more))

    @property
    def sentences(self) -> list[str]:
        """All of them, in the order in which the collectors first reported."""
        return [sentence for sentences in self._reported.values() for sentence in sentences]
