"""PromQL that every panel is made of: selectors with the dashboard's variables, and sums that stay right with replicas.

Two rules hold for every expression:

* Each selector names `job=~"$job"` and `instance=~"$instance"`, so that one Grafana can show several exporters.
* Two exporters may watch one account (or one Prometheus may scrape it twice): what Flatfile counts is brought to one
  value with `max by (...)` before anything is summed. What an exporter counts about itself is summed plainly.
"""

from collections.abc import Callable, Iterable

EXPORTERS = ('job=~"$job"', 'instance=~"$instance"')
"""Matchers that every selector begins with."""

ENVIRONMENT = ("account", "environment_id", "environment_name")
"""Labels that tell an environment apart (the first two) and show its name (the third)."""

ENVIRONMENT_KEY = ("account", "environment_id")
"""What joins are made on: names may repeat and change, ids do not."""


def selector(metric: str, *matchers: str) -> str:
    """Series of one exporter, whatever the account."""
    return f"{metric}{{{', '.join((*EXPORTERS, *matchers))}}}"


def of_account(metric: str, *matchers: str) -> str:
    """Series of the chosen accounts."""
    return selector(metric, 'account=~"$account"', *matchers)


def of_environment(metric: str, *matchers: str) -> str:
    """Series of the chosen environments.

    "All" stands for `.*`, so that it also takes in an expected agent of an environment that does not exist, which has
    an empty `environment_id`.
    """
    return of_account(metric, 'environment_id=~"$environment"', *matchers)


def once(vector: str, by: Iterable[str]) -> str:
    """One value for each combination of the labels, however many exporters report it."""
    return f"max by ({', '.join(by)}) ({vector})"


def total(vector: str, by: Iterable[str] = (), *, over: Iterable[str]) -> str:
    """The sum by some labels of what `once` makes of the vector; `over` are the labels that are summed away."""
    kept = tuple(by)
    together = (*kept, *(label for label in over if label not in kept))
    inner = once(vector, together)
    return f"sum by ({', '.join(kept)}) ({inner})" if kept else f"sum({inner})"


def rate(counter: str) -> str:
    """Per second, over the interval that Grafana finds fitting for the zoom and the scrape interval."""
    return f"rate({counter}[$__rate_interval])"


def increase(counter: str) -> str:
    """How much was added in the dashboard's whole time range."""
    return f"increase({counter}[$__range])"


def where_any(counted: Callable[[Callable[[str], str]], str], by: Iterable[str]) -> str:
    """Rates of what was counted at all in the dashboard's time range, with the zeros in between.

    Dropping the zeros themselves would break a line whenever nothing happens, and a gap stands for "not known".
    `counted` makes the sum from a function over time, such as `rate`; the labels `by` tell its series apart.
    """
    return f"{counted(rate)} and on ({', '.join(by)}) ({counted(_increase_of_the_whole_graph)} > 0)"


def _increase_of_the_whole_graph(counter: str) -> str:
    """`increase` up to the graph's end, at whatever point of it."""
    return f"increase({counter}[$__range] @ end())"


def quantile(share: float, histogram: str, by: Iterable[str], over: Callable[[str], str] = rate) -> str:
    """A quantile of a histogram's observations, lately or `over` all of the time range, estimated within its buckets.

    No value where there was no observation. Replicas are summed: each bucket of all of them grows alike, and the
    quantile stays the same.
    """
    # Where nothing was observed the quantile is NaN, which no comparison lets through.
    return f"histogram_quantile({share}, sum by ({', '.join((*by, 'le'))}) ({over(histogram)})) >= 0"


def ratio(part: str, whole: str) -> str:
    """`part` over `whole`, with no value (and not NaN) where the whole is 0."""
    return f"{part} / ({whole} > 0)"


def age(timestamp: str) -> str:
    """Seconds since a Unix time."""
    return f"time() - {timestamp}"


def family(vector: str) -> str:
    """The vector with the topic's part before the colon in `family` (the whole topic where it has no colon)."""
    return f'label_replace({vector}, "family", "$1", "topic", "([^:]*).*")'


def of_this_exporter(vector: str) -> str:
    """Series that every process has (`process_*`), of those processes alone that are a Flatfile exporter."""
    return f"{vector} and on (job, instance) {selector('flatfile_exporter_build_info')}"
