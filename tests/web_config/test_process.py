"""The real process with a web configuration: a real Prometheus scrapes it, reloads, what it logs, and check-config."""

import contextlib
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import ANY_PORT, PATIENCE, Exporter, eventually, exporter, run
from tests.e2e.test_prometheus import Prometheus, soon, started
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .rig import PASSWORD, USER, Certificates, hash_of, users

CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, client_allowed_sans: [prometheus]"
HEADERS = "http_server_config: {headers: {X-Frame-Options: deny}}\n"
SCRAPES = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: flatfile
    basic_auth: &login {{username: {user}, password: '{password}'}}
    tls_config: &tls {{ca_file: ca.crt, cert_file: {client}, key_file: {client}, server_name: localhost}}
    http_sd_configs: [{{url: '{url}/sd', refresh_interval: 5s, basic_auth: *login, tls_config: *tls}}]
"""


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    with SimulatedServer(sized_world(lambda: 1_790_000_000.0, environments=1, spaces=2)).in_thread() as running:
        yield running


@contextlib.contextmanager
def serving(files: Certificates, api: SimulatedServer, web: str, *arguments: str) -> Iterator[Exporter]:
    """The exporter with this web configuration; `url` and `client` are for it."""
    config = files.replace("config.yaml", configuration(account_lines("acme", api.base_url)))
    path = files.write(web)
    with exporter(f"--config.file={config}", f"--web.config.file={path}", ANY_PORT, *arguments) as running:
        running.url = running.wait_for(r"url=(https?://[^ ]+)/")[1].replace("127.0.0.1", "localhost")
        running.client.close()
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.client("prometheus"))
        login = (USER, PASSWORD)
        running.client = httpx.Client(timeout=PATIENCE, trust_env=False, verify=context, auth=login)
        yield running


@contextlib.contextmanager
def scraping(program: str, files: Certificates, url: str, password: str) -> Iterator[Prometheus]:
    text = SCRAPES.format(user=USER, password=password, client=files.client("prometheus").name, url=url)
    path = files.replace("prometheus.yml", text)
    with started(program, path, files.directory) as running:
        yield running


def test_prometheus_scrapes_over_tls_with_a_certificate_and_a_password(
    files: Certificates, api: SimulatedServer, prometheus_program: str
) -> None:
    with (
        serving(files, api, files.tls(CLIENTS) + users() + HEADERS) as running,
        scraping(prometheus_program, files, running.url, PASSWORD) as prometheus,
    ):
        soon(lambda: len(prometheus.targets()) == 2, "the account and the exporter itself are scraped")
        soon(lambda: prometheus.query("flatfile_spaces"), "there are spaces")
        files.new_server_certificate()
        files.write(files.tls(CLIENTS) + users("another"))
        soon(lambda: prometheus.query("up == 0"), "the user that was taken away is shut out")
        files.write(files.tls(CLIENTS) + users("another", USER))
        soon(lambda: len(prometheus.query("up == 1")) == 2 and not prometheus.query("up == 0"), "it is let in again")
        assert PASSWORD not in running.text


def test_prometheus_with_the_wrong_password(files: Certificates, api: SimulatedServer, prometheus_program: str) -> None:
    with (
        serving(files, api, files.tls(CLIENTS) + users()) as running,
        scraping(prometheus_program, files, running.url, "wrong"),
    ):
        log = files.directory / "prometheus.log"
        eventually(lambda: "401 Unauthorized" in log.read_text(encoding="utf-8"), "Prometheus is told so")
        assert not api.requests


def test_the_page_keeps_its_headers(files: Certificates, api: SimulatedServer) -> None:
    with serving(files, api, files.tls() + users() + HEADERS) as running:
        answer = running.get("/")
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "deny"
        assert {entry["labels"]["__scheme__"] for entry in running.get("/sd").json()} == {"https"}


def test_a_reload_looks_at_both_configurations(files: Certificates, api: SimulatedServer) -> None:
    right = files.tls() + users()
    with serving(files, api, right, "--web.enable-lifecycle") as running:
        files.write("basic_auth_users: {a: hunter2}\n")
        running.signal(signal.SIGHUP)
        running.wait_for(r"reload failed.*web\.yml:1:23: basic_auth_users: must be a bcrypt hash")
        assert running.client.post(running.url + "/-/reload").status_code == 500
        files.write(right)
        answer = running.client.post(running.url + "/-/reload")
        assert (answer.status_code, answer.text) == (200, "reloaded\n")
        files.replace("config.yaml", "accounts: 1\n")
        answer = running.client.post(running.url + "/-/reload")
        assert answer.status_code == 500
        assert "config.yaml:1:11: accounts" in answer.text


def test_nothing_secret_is_logged_or_answered(files: Certificates, api: SimulatedServer) -> None:
    answers = []
    with serving(files, api, files.tls() + users(), "--log.level=debug") as running:
        for password in (PASSWORD, "hunter2-wrong", "hunter2" * 20):
            answers.append(running.client.get(running.url + "/metrics", auth=(USER, password)))
        for text in (users(), f"basic_auth_users: {{hunter2: {hash_of()}!}}\n", "hunter2: [\n", "hunter2 x: 1\n"):
            files.write(text)
            answers.append(running.get("/metrics"))
        files.write(files.tls() + users())
        running.page()
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        said = running.text + "".join(f"{answer.headers} {answer.text}" for answer in answers)
        assert [answer.status_code for answer in answers] == [200, 401, 401, 500, 500, 500, 500]
        assert "hunter2" not in said
        assert hash_of() not in said
        assert "PRIVATE" not in said
        assert "Traceback" not in said


def test_it_does_not_start_with_a_wrong_web_configuration(files: Certificates) -> None:
    path = files.write("basic_auth_user: {}\n")
    done = run("demo", ANY_PORT, f"--web.config.file={path}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"{path}:1:1: basic_auth_user: unknown key; did you mean 'basic_auth_users'?"
    )


def test_check_config(files: Certificates, tmp_path: Path) -> None:
    config = files.replace("config.yaml", configuration(account_lines("acme", "https://platform.flatfile.com/v1")))
    arguments = ("check-config", f"--config.file={config}", f"--web.config.file={files.web}")
    files.write(files.tls(CLIENTS) + users("a", "b"))
    done = run(*arguments)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "web configuration is valid: TLS with client certificates, 2 users",
    )
    files.write("{}\n")
    done = run(*arguments)
    assert done.returncode == 0
    assert "warning: " in done.stderr
    assert "neither TLS nor authentication" in done.stderr
    files.write("a: 1\n")
    files.replace("config.yaml", "b: 1\n")
    done = run(*arguments)
    assert done.returncode == 1
    assert f"{config}:1:1: " in done.stderr
    assert f"{files.web}:1:1: a: unknown key" in done.stderr
    assert done.stdout == ""
