"""Programs of the system that many tests drive, and what all tests together must have asked of simulated accounts."""

import gc
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from exporter.flatfile.endpoints import Endpoint
from tests.examples import TIMES
from tests.programs import program
from tests.simulator import ledger

FIRST = (
    "tests/grafana/e2e",
    "tests/scaling",
    "tests/matrix",
    "tests/e2e",
    "tests/grafana/test_histories",
    "tests/image",
    "tests/test_bench",
    "tests/collectors",
)
"""What takes long is begun first, so that no worker is left alone with it at the end."""
ALLOWED = frozenset((endpoint.method, endpoint.path) for endpoint in Endpoint)
_SEEN = pytest.StashKey[set[ledger.Kind]]()

# Nothing is timed: a busy machine must not fail a property. CI tries the same examples each time, the nightly run others.
settings.register_profile(
    "untimed",
    settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=100 * TIMES,
    derandomize=settings.default.derandomize and TIMES == 1,
)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let every simulated account of this run, in whichever process, write what it is asked into one ledger."""
    if ledger.VARIABLE not in os.environ:
        handle, name = tempfile.mkstemp(prefix="ledger-", suffix=".jsonl")
        os.close(handle)
        os.environ[ledger.VARIABLE] = name
        config.add_cleanup(lambda: _closed(Path(name)))


def _closed(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.environ.pop(ledger.VARIABLE, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))

    items.sort(key=rank)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over what all tests together have imported: it would look through it again and again."""
    gc.collect()
    gc.freeze()


class ByFile(LoadScopeScheduling):
    """A worker runs a file's tests one after the other, so that they share what they start; those of the matrix share nothing."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/matrix/test_matrix.py") else nodeid.split("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Give out the files in order; see `ByFile`."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The exporter has only read, in all tests together: fail otherwise."""
    if hasattr(session.config, "workerinput"):
        return  # the process that started the workers looks when all of them have ended
    seen = ledger.kinds(Path(os.environ[ledger.VARIABLE]))
    session.config.stash[_SEEN] = seen
    if ledger.strange(seen, ALLOWED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the exporter has asked of all simulated accounts."""
    seen = config.stash.get(_SEEN, set())
    strange = ledger.strange(seen, ALLOWED)
    if strange:
        terminalreporter.write_line(f"FAILED: the exporter sent what it must never send: {strange}", red=True)
    elif seen:
        paths = sorted({f"{method} {path}" for method, path in ALLOWED if not ledger.strange([(method, path)], seen)})
        terminalreporter.write_line(f"the exporter has asked simulated accounts for nothing but: {', '.join(paths)}")


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    return program("prometheus")


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def chromium() -> str:
    return program("chromium", "chromium-browser", "google-chrome")
