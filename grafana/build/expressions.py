"""PromQL that every panel is made of: selectors with the dashboard's variables, and sums that stay right with replicas.

Two rules hold for every expression:

* Each selector names `job=~"$job"` and `instance=~"$instance"`, so that one Grafana can show several exporters.
* Two exporters may watch one account (or two Prometheus servers may scrape one): what Flatfile counts is reduced to one
  value with `max by (...)` before anything is summed. What an exporter counts about itself is summed plainly.
"""

from collections.abc import Callable, Iterable

EXPORTERS = ('job=~"$job"', 'instance=~"$instance"')
"""Matchers that every selector begins with."""

ENVIRONMENT = ("account", "environment_id", "environment_name")
"""Labels that identify an environment (the first two) and show its name (the third)."""

ENVIRONMENT_KEY = ("account", "environment_id")
"""What joins are made on: names may repeat and change, ids do not."""

MAX_LINES = 20
"""Of a graph with a line for each environment or agent."""

MIN_FINISHED = 5
"""Below this many jobs or runs in an hour a failure ratio says nothing: one failure of one run would be 100 %."""


def selector(metric: str, *matchers: str) -> str:
    """Return the series of the chosen exporters, of any account."""
    return f"{metric}{{{', '.join((*EXPORTERS, *matchers))}}}"


def of_account(metric: str, *matchers: str) -> str:
    """Return the series of the chosen accounts."""
    return selector(metric, 'account=~"$account"', *matchers)


def of_environment(metric: str, *matchers: str) -> str:
    """Return the series of the chosen environments.

    "All" stands for `.*`, so that it includes an expected agent of an environment that does not exist, which has an empty
    `environment_id`.
    """
    return of_account(metric, 'environment_id=~"$environment"', *matchers)


def once(vector: str, by: Iterable[str]) -> str:
    """Return one value for each combination of the labels, however many exporters report it."""
    return f"max by ({', '.join(by)}) ({vector})"


def total(vector: str, by: Iterable[str] = (), *, over: Iterable[str]) -> str:
    """Return the sum by some labels of what `once` makes of the vector; `over` are the labels that are summed away."""
    kept = tuple(by)
    together = (*kept, *(label for label in over if label not in kept))
    return added(once(vector, together), kept)


def added(vector: str, by: Iterable[str] = ()) -> str:
    """Return the plain sum by some labels."""
    kept = tuple(by)
    return f"sum by ({', '.join(kept)}) ({vector})" if kept else f"sum({vector})"


def rate(counter: str) -> str:
    """Return the increase per second, over the interval that Grafana chooses for the zoom and the scrape interval."""
    return f"rate({counter}[$__rate_interval])"


def increase(counter: str) -> str:
    """Return each series' increase in the dashboard's time range."""
    return f"increase({counter}[$__range])"


def last_hour(counter: str) -> str:
    """Return each series' increase in the last hour."""
    return f"increase({counter}[1h])"


def counted(rates: str) -> str:
    """Return how much was counted in the dashboard's time range, from an expression of rates.

    The rates are reduced to one value at each moment and then added up over time. So each pod of a row of pods counts, and
    two exporters count once for as long as both run. `increase` over the range can do one of the two only.
    """
    return f"sum_over_time(({rates})[$__range:$__interval]) * $__interval_ms / 1000"


def where_any(counted_by: Callable[[Callable[[str], str]], str], by: Iterable[str]) -> str:
    """Return rates of what was counted at all in the dashboard's time range, with the zeros in between.

    Dropping the zeros themselves would break a line whenever nothing happens, and a gap stands for "not known".
    `counted_by` makes the sum from a function over time, such as `rate`; the labels `by` tell its series apart.
    """
    return f"{counted_by(rate)} and on ({', '.join(by)}) ({counted_by(_increase_at_the_end)} > 0)"


def _increase_at_the_end(counter: str) -> str:
    return f"increase({counter}[$__range] @ end())"


def largest(expr: str, number: int, by: Iterable[str] = ENVIRONMENT_KEY) -> str:
    """Return the series of the expression that were largest in the dashboard's time range, so many of them.

    The choice is made once for the whole graph: with `topk` alone, each point would have its own choice.
    """
    labels = ", ".join(by)
    highest = f"max by ({labels}) (max_over_time(({expr})[$__range:$__interval] @ end()))"
    return f"({expr}) and on ({labels}) topk({number}, {highest})"


def failure_ratio(failed: str, finished: str, by: Iterable[str] = (), *, over: Iterable[str]) -> str:
    """Return failed over finished in the last hour, where MIN_FINISHED or more have finished.

    `failed` and `finished` are counters. Those of all exporters are summed: a pair counts everything twice, above and below
    the line. Only the minimum is compared with what is counted once.
    """
    labels = tuple(by)
    key = ", ".join(label for label in labels if label != "environment_name")
    below = added(last_hour(finished), labels)
    enough = f"{total(last_hour(finished), labels, over=over)} >= {MIN_FINISHED}"
    return f"({added(last_hour(failed), labels)} or {below} * 0) / ({below} and on ({key}) {enough})"


def quantile(share: float, histogram: str, by: Iterable[str] = (), over: Callable[[str], str] = rate) -> str:
    """Return a quantile of a histogram's observations, estimated within its buckets; no value without observations.

    Replicas are summed: each bucket of all of them grows alike, and the quantile stays the same.
    """
    # Without observations the quantile is NaN, which no comparison lets through.
    return f"histogram_quantile({share}, {added(over(histogram), (*by, 'le'))}) >= 0"


def ratio(part: str, whole: str) -> str:
    """Return `part` over `whole`, with no value (and not NaN) where the whole is 0."""
    return f"{part} / ({whole} > 0)"


def age(timestamp: str) -> str:
    """Return the seconds since a Unix time."""
    return f"time() - {timestamp}"


def family(vector: str) -> str:
    """Return the vector with the topic's part before the colon in `family` (the whole topic where it has no colon)."""
    return f'label_replace({vector}, "family", "$1", "topic", "([^:]*).*")'


def of_this_exporter(vector: str) -> str:
    """Return series that every process has (`process_*`), of Flatfile exporters alone."""
    return f"{vector} and on (job, instance) {selector('flatfile_exporter_build_info')}"
