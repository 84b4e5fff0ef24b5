"""A scraped page as samples, each a series and its value as they stand in the text."""

import re
from collections import Counter
from collections.abc import Mapping

from exporter.collectors import REGISTRY

Samples = Mapping[str, str]

_NAME = re.compile(r"[a-z0-9_]+")
_ERRORS = re.compile(r'flatfile_exporter_collector_errors_total\{account="",collector="(\w+)",reason="(\w+)"\}')
_ERRORS_BEGIN = "flatfile_exporter_collector_errors_total{"
_FAMILY = {
    desc.name + suffix: collector
    for collector, module in REGISTRY.items()
    for desc in module.FAMILIES
    for suffix in ("", *(("_bucket", "_sum", "_count") if desc.type == "histogram" else ()))
}


class Page:
    """One account's page (`/probe`). The account's name is left out, so that pages of several accounts compare."""

    def __init__(self, text: str, account: str) -> None:
        own = text.replace(f'account="{account}"', 'account=""')
        lines = [line for line in own.split("\n") if line and not line.startswith("#")]
        self.samples: Samples = dict(line.rsplit(" ", 1) for line in lines)
        assert len(self.samples) == len(lines), "a series came twice"
        self.by_collector: dict[str, dict[str, str]] = {name: {} for name in REGISTRY}
        for series, value in self.samples.items():
            found = _NAME.match(series)
            collector = _FAMILY.get(found[0]) if found else None
            if collector is not None:
                self.by_collector[collector][series] = value

    @property
    def up(self) -> str:
        """`flatfile_up`."""
        return self.samples['flatfile_up{account=""}']

    def sums(self) -> Counter[str]:
        """The sum over the series of each family."""
        found: Counter[str] = Counter()
        for series, value in self.samples.items():
            found[series.partition("{")[0]] += float(value)  # type: ignore[assignment]
        return found

    def success(self, collector: str) -> str | None:
        """`1`, `0`, or None where no refresh has finished."""
        return self._of("success", collector)

    def last_success(self, collector: str) -> float | None:
        """Unix seconds; None before the first."""
        value = self._of("last_success_timestamp_seconds", collector)
        return None if value is None else float(value)

    def errors(self) -> dict[tuple[str, str], float]:
        """How many errors were counted, where any were: (collector, reason) -> number."""
        counted = ((series, float(value)) for series, value in self.samples.items() if series.startswith(_ERRORS_BEGIN))
        found = ((_ERRORS.fullmatch(series), value) for series, value in counted if value)
        return {(match[1], match[2]): value for match, value in found if match}

    def _of(self, what: str, collector: str) -> str | None:
        return self.samples.get(f'flatfile_exporter_collector_{what}{{account="",collector="{collector}"}}')
