"""Everything that leaves the real process is looked through for what the simulated account marks as secret or personal."""

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from exporter.config import ConfigError, load
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.markers import MARKERS
from exporter.demo.markers import SECRET as MARK
from tests.pages import ROOT
from tests.serving import FAST, account_lines, configuration
from tests.simulator.faults import (
    EmptyBody,
    Fault,
    NoData,
    NotJson,
    NullRows,
    Redirect,
    RowWithoutId,
    Status,
    Truncated,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world

from .process import Exporter, exporter, run, serving

EVERYTHING = """\
spaces: {per_space: true}
collectors:
  environments: {interval: 0s}
  spaces: {interval: 0s}
  agents: {interval: 0s}
  executions: {interval: 0s}
  users: {interval: 0s}
  guests: {interval: 0s}
  jobs: {interval: 0s}
"""
FORMATS = {
    "text": "text/plain;version=0.0.4",
    "openmetrics": "application/openmetrics-text;version=1.0.0",
}
TELLING: list[Fault] = [
    *(Status(code) for code in (400, 401, 403, 404, 408, 422, 500, 503)),
    Status(429, 0),
    Status(502, body="html"),
    NotJson(f"<html>{MARK}page</html>".encode()),
    NotJson(f'{{"data":"{MARK}wrong-shape","accessToken":["{MARK}token"]}}'.encode()),
    NotJson(f'{{"data":[{{"id":{{"{MARK}key":1}}}}]}}'.encode()),
    NotJson(f"{MARK}no-json".encode()),
    Redirect(f"https://elsewhere.test/?token={MARK}location"),
    EmptyBody(),
    NoData(),
    NullRows(),
    RowWithoutId(),
    Truncated(),
    WrongTotal(+5),
    WrongTypes("ids"),
    WrongTypes("data"),
    WrongTypes("body"),
]


@pytest.fixture
def marked() -> Iterator[SimulatedServer]:
    """An account of which everything confidential is marked; served from a thread."""
    with SimulatedServer(fixed_world(time.time)).in_thread() as running:
        yield running


def leaks(text: str) -> list[str]:
    """The marks in a text, each with what is around it."""
    found = ((mark, text.find(mark)) for mark in MARKERS)
    return [f"{mark}: …{text[max(0, at - 60) : at + 60]}…" for mark, at in found if at >= 0]


def shown(running: Exporter, account: str = "acme") -> Iterator[str]:
    """Every page that there is, as people and scrapers get it."""
    for path in ("/metrics", f"/probe?target={account}", "/metrics?only=exporter"):
        for accept in FORMATS.values():
            answer = running.get(path, Accept=accept)
            assert answer.status_code == 200
            yield answer.text + str(answer.headers)
    for path in (
        "/",
        f"/probe?target={account}&debug=true",
        "/sd",
        "/-/ready",
        "/-/healthy",
        "/nothing",
        "/probe",
        "/probe?target=x",
        "/metrics?collect[]=x",
    ):
        answer = running.get(path)
        yield answer.text + str(answer.headers)
    yield running.client.post(running.url + "/-/reload").text


def arguments(running: Exporter) -> str:
    """What `ps` shows of the process."""
    return Path(f"/proc/{running.process.pid}/cmdline").read_bytes().decode(errors="replace")


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_day_on_which_all_is_well(marked: SimulatedServer, tmp_path: Path, log_format: str) -> None:
    config = configuration(account_lines("acme", marked.base_url), more=FAST + EVERYTHING)
    flags = (f"--log.format={log_format}", "--log.level=debug", "--web.enable-lifecycle")
    with serving(config, tmp_path, *flags, fresh=True) as running:
        for text in shown(running):
            assert not leaks(text)
        assert marked.count("/guests")
        assert marked.count("/users")
        assert marked.count("/events")
        assert not leaks(running.text)
        assert not leaks(arguments(running))
        assert "flatfile_space_info" in running.page(), "names of spaces are shown where they are asked for"


def test_a_day_on_which_nothing_is_well(marked: SimulatedServer, tmp_path: Path) -> None:
    def config(name: str) -> str:
        return configuration(account_lines(name, marked.base_url), more=FAST + EVERYTHING)

    with serving(config("acme"), tmp_path, "--log.level=debug", "--web.enable-lifecycle") as running:
        for number, (path, fault) in enumerate(itertools.product(("*", "/auth", "/spaces"), TELLING)):
            # an account of its own for each: one that failed would back off
            (tmp_path / "config.yaml").write_text(config(f"acme-{number}"), encoding="utf-8")
            assert running.client.post(running.url + "/-/reload").text == "reloaded\n"
            rule = marked.call(marked.faults.add, path, fault)
            debug = f"/probe?target=acme-{number}&debug=true"
            for text in (running.page(), running.page("/"), running.page(debug)):
                assert not leaks(text), fault
            assert rule.hits, fault
            marked.call(marked.faults.remove, rule)
        assert running.text.count("refresh failed") > len(TELLING)
        assert not leaks(running.text)
        assert "Traceback" not in running.text


FAULT = """
import exporter.collectors.users

MARK = "".join({mark})

async def broken(self, call):
    held = [self._context.config, self._context.client]
    raise RuntimeError(repr(held) + MARK)

exporter.collectors.users.Collector.refresh = broken
"""


def test_a_fault_of_the_exporter_itself(marked: SimulatedServer, tmp_path: Path) -> None:
    """A traceback is in the log then: without what the frames hold, and without the error's own text."""
    (tmp_path / "fault").mkdir()
    (tmp_path / "fault" / "sitecustomize.py").write_text(FAULT.replace("{mark}", repr([*MARK])))
    config = configuration(account_lines("acme", marked.base_url), more=FAST + EVERYTHING)
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "fault"), str(ROOT)])}
    with serving(config, tmp_path, "--log.level=debug", env=env) as running:
        for text in shown(running):
            assert not leaks(text)
        assert not leaks(running.text)
        assert "reason=internal" in running.text
        assert "Traceback" in running.text


def test_credentials_of_the_environment(marked: SimulatedServer) -> None:
    env = {"FLATFILE_CLIENT_ID": CLIENT_ID, "FLATFILE_CLIENT_SECRET": SECRET, "FLATFILE_BASE_URL": marked.base_url}
    with exporter("--web.listen-address=127.0.0.1:0", "--log.level=debug", env=env, fresh=True) as running:
        running.listens()
        assert 'flatfile_up{account="default"} 1' in running.page()
        for text in shown(running, "default"):
            assert not leaks(text)
        assert not leaks(running.text)
        assert not leaks(arguments(running))


def asking(directory: Path, *accounts: str) -> Iterator[CompletedProcess[str]]:
    """The commands that ask the API by themselves."""
    path = directory / "config.yaml"
    path.write_text(configuration(*accounts, more=FAST + EVERYTHING), encoding="utf-8")
    for command in (
        ("check-config", "--probe"),
        ("check-config", "--probe", "--format=json"),
        ("discover",),
        ("inventory",),
        ("inventory", "spaces", "--format=json"),
        ("inventory", "users", "--format=csv"),
    ):
        yield run(*command, f"--config.file={path}")


def test_commands_that_ask_the_api(marked: SimulatedServer, tmp_path: Path) -> None:
    for ended in asking(tmp_path, account_lines("acme", marked.base_url)):
        assert ended.returncode == 0
        assert not leaks(ended.stdout + ended.stderr)
    assert marked.count("/users")
    assert marked.count("/guests")
    assert marked.count("/agents")


def test_commands_that_ask_an_api_that_does_not_work(marked: SimulatedServer, tmp_path: Path) -> None:
    """Each kind of failure is that of an account of its own, all tried at once."""
    with contextlib.ExitStack() as stack:
        accounts = [account_lines("wrong", marked.base_url, secret=f"{MARK}wrong")]
        for number, fault in enumerate(TELLING):
            broken = stack.enter_context(SimulatedServer(fixed_world(time.time)).in_thread())
            broken.call(broken.faults.add, ("*", "/agents", "/auth")[number % 3], fault)
            accounts.append(account_lines(f"broken-{number}", broken.base_url))
        for ended in asking(tmp_path, *accounts):
            assert ended.returncode == 1
            assert not leaks(ended.stdout + ended.stderr)
            assert "Traceback" not in ended.stderr


BROKEN = [
    "accounts:\n  - {{name: acme, auth: {{client_id: '{mark}id', client_secret: ['{mark}list']}}}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_token: '{mark}token', client_secret: '{mark}both'}}}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_tokn: '{mark}typo'}}}}\n",
    "accounts:\n  - {{name: acme, auth: '{mark}text'}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_token: '{mark}token with a blank'}}}}\n",
    "accounts:\n  - {{name: acme, base_url: 'https://user:{mark}password@flatfile.test/v1', auth: {{access_token: x}}}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_token: x}}, requests: {{proxy_url: 'ftp://user:{mark}password@proxy'}}}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_token: '{mark}unfinished}}}}\n",
    "accounts:\n  - {{name: acme, auth: {{access_token: !!python/object '{mark}tag'}}}}\n",
    "{mark}scalar",
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_configurations_that_are_wrong_are_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text.format(mark=MARK), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert not leaks(str(caught.value))


@pytest.mark.parametrize("text", [BROKEN[0], BROKEN[-1]], ids=["values", "syntax"])
def test_commands_print_no_more_than_that(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text.format(mark=MARK), encoding="utf-8")
    for command in (("check-config",), ("serve", "--web.listen-address=127.0.0.1:0")):
        ended = run(*command, f"--config.file={path}")
        assert ended.returncode == 1
        assert not leaks(ended.stdout + ended.stderr)
        assert "Traceback" not in ended.stderr


def test_check_config_of_a_good_one_and_the_warning_of_a_readable_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{MARK}in-a-file\n", encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(
        f"accounts:\n  - {{name: acme, auth: {{client_id: '{MARK}id', client_secret_file: {secret}}}}}\n"
        f"  - {{name: other, auth: {{access_token: '{MARK}token'}}, requests: {{proxy_url: 'http://u:{MARK}p@proxy:3128'}}}}\n",
        encoding="utf-8",
    )
    for mode in (0o644, 0o640):
        secret.chmod(mode)
        path.chmod(mode)
        ended = run("check-config", f"--config.file={path}")
        assert ended.returncode == 0
        assert not leaks(ended.stdout + ended.stderr)
        readable = [
            line for line in ended.stderr.splitlines() if "the file is readable by every user of this machine" in line
        ]
        assert len(readable) == (2 if mode == 0o644 else 0)
        if readable:
            assert "accounts[0].auth.client_secret_file" in readable[0]
            assert readable[1].startswith(f"warning: {path}: it contains credentials")
