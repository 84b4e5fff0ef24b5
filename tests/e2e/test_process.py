"""The exporter as a process: how it starts, what it says, how it ends."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import __version__
from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.ports import free_port
from tests.serving import PATIENT, account_lines, configuration
from tests.simulator.faults import Hang, Status
from tests.simulator.server import SimulatedServer

from .process import ANY_PORT, Exporter, eventually, exporter, run, serving


def value(page: str, name: str, **labels: str) -> float | None:
    """The one sample of this name with these labels, None without one."""
    values = [
        sample.value
        for family in parse_text(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(values) < 2
    return values[0] if values else None


def ends_well(running: Exporter) -> None:
    assert running.ended() == 0
    assert "Traceback" not in running.text
    assert running.lines[-1].endswith('msg="stopped"') or '"msg": "stopped"' in running.lines[-1]


# Starting


def test_it_starts_with_environment_variables_alone(api: SimulatedServer) -> None:
    env = {"FLATFILE_CLIENT_ID": CLIENT_ID, "FLATFILE_CLIENT_SECRET": SECRET, "FLATFILE_BASE_URL": api.base_url}
    with exporter(ANY_PORT, env=env, fresh=True) as running:
        page = running.listens().page()
        assert value(page, "flatfile_up", account="default") == 1
        assert value(page, "flatfile_users", account="default") == 5
        running.signal(signal.SIGTERM)
        ends_well(running)


def test_it_starts_with_files_named_by_the_environment(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.switches.ready_tokens.add, "pat_rotated")
    (tmp_path / "token").write_text("pat_old\n")
    env = {"FLATFILE_ACCESS_TOKEN_FILE": str(tmp_path / "token"), "FLATFILE_BASE_URL": api.base_url}
    with exporter("serve", ANY_PORT, env=env, fresh=True) as running:
        page = running.listens().page()
        assert value(page, "flatfile_up") == 0
        assert value(page, "flatfile_exporter_collector_errors_total", collector="users", reason="unauthorized") == 1
        (tmp_path / "token").write_text("pat_rotated\n")
        assert value(running.page(), "flatfile_up") == 1


def test_it_starts_with_a_file(api: SimulatedServer, tmp_path: Path) -> None:
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path) as running:
        assert value(running.page(), "flatfile_up", account="acme") == 1
        build = value(running.page(), "flatfile_exporter_build_info", version=__version__)
        assert build == 1


def test_the_demo_needs_nothing() -> None:
    with exporter("demo", ANY_PORT, fresh=True) as running:
        page = running.listens().page()
        assert "simulated" in running.text
        assert value(page, "flatfile_up", account="demo") == 1
        assert value(page, "flatfile_agent_missing", agent="importer", environment_name="production") == 0
        assert running.get("/").status_code == 200
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*new_or_changed=0")
        running.signal(signal.SIGTERM)
        ends_well(running)


def test_the_command_and_the_module_are_the_same() -> None:
    command = Path(os.sys.executable).with_name("flatfile-exporter")
    if not command.exists():
        pytest.skip("the package is not installed here")
    import subprocess

    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--version", fresh=True).stdout
    assert "flatfile-exporter" in done.stdout


def test_without_credentials_it_says_how_to_give_them() -> None:
    done = run("--web.listen-address=127.0.0.1:0", fresh=True)
    assert (done.returncode, done.stdout) == (1, "")
    for words in ("--config.file", "FLATFILE_CLIENT_ID", "FLATFILE_ACCESS_TOKEN", "flatfile-exporter demo"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_flags() -> None:
    done = run("--web.listen-adress=:1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_bad_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("accounts:\n  - nam: acme\n    colectors: {}\n")
    for command in ("serve", "check-config"):
        done = run(command, f"--config.file={path}")
        assert (done.returncode, done.stdout) == (1, "")
        lines = done.stderr.splitlines()
        assert len(lines) > 2
        for line in lines:
            assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", line)


@pytest.mark.parametrize("kind", ["missing", "directory", "unreadable", "binary", "empty", "endless"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.yaml"
    match kind:
        case "directory":
            path.mkdir()
        case "unreadable":
            path.write_text("accounts: []\n")
            path.chmod(0)
            if os.access(path, os.R_OK):
                path = Path("/proc/self/mem")  # root may read everything else
        case "binary":
            path.write_bytes(bytes(range(256)))
        case "empty":
            path.write_text("")
        case "endless":
            path = Path("/dev/zero")
    done = run("--config.file", str(path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{path}:")


def test_a_port_in_use(api: SimulatedServer, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(configuration(account_lines("acme", api.base_url)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(f"--config.file={tmp_path / 'config.yaml'}", ANY_PORT, f"--web.listen-address=127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr == f"flatfile-exporter: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_several_addresses_ipv6_among_them(api: SimulatedServer, tmp_path: Path) -> None:
    more = ("--web.listen-address=[::1]:0", "--web.listen-address=localhost:0", "--web.listen-address=:0")
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path, *more) as running:
        urls = [running.url]
        while not urls[-1].startswith("http://localhost:"):  # what `:0` is shown as
            urls.append(running.wait_for("listening.*url=(.*)/ ")[1])
        assert len(urls) >= 4
        assert urls[1].startswith("http://[::1]:")
        for url in urls:
            assert running.client.get(f"{url}/-/healthy").status_code == 200
        assert running.client.get(f"{urls[1]}/sd").json()[0]["targets"] == [urls[1].removeprefix("http://")]


@pytest.mark.parametrize("text", ["/nowhere", "/etc/passwd"])
def test_authorities_of_the_environment_that_cannot_be_used(text: str) -> None:
    env = {"FLATFILE_CLIENT_ID": CLIENT_ID, "FLATFILE_CLIENT_SECRET": SECRET, "SSL_CERT_FILE": text}
    for command in ([ANY_PORT], ["check-config"]):
        done = run(*command, env=env)
        assert done.returncode == 1
        assert done.stderr.startswith("account default: cannot set up connections: ")
        assert done.stderr.count("\n") == 1


PROXY_ERROR = "it is not used"


@pytest.mark.parametrize(
    ("env", "warned"),
    [
        ({"NO_PROXY": "10.0.0.0/8,fd00::/8"}, 0),
        ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "10.0.0.0/8,fd00::/8"}, 0),
        ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "localhost,[::1]"}, 0),
        ({"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "[::1,a b:c:d,"}, 2),
        ({"HTTP_PROXY": "socks5://user:SECRET-word@127.0.0.1:9"}, 0),
        ({"HTTPS_PROXY": "socks5://user:SECRET-word@127.0.0.1:9"}, 1),
        ({"HTTPS_PROXY": "nonsense://user:SECRET-word@127.0.0.1:9"}, 1),
        ({"HTTPS_PROXY": "http://user:SECRET-word@127.0.0.1:99999"}, 1),
        ({"ALL_PROXY": "socks5h://user:SECRET-word@127.0.0.1:9"}, 1),
    ],
)
def test_it_starts_with_any_proxy_variables_and_check_config_says_the_same(env: dict[str, str], warned: int) -> None:
    token = {"FLATFILE_ACCESS_TOKEN": "pat", "FLATFILE_BASE_URL": "https://127.0.0.1:9"}
    checked = run("check-config", env=token | env)
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr.count(PROXY_ERROR) == warned
    with exporter(ANY_PORT, env=token | env) as running:
        running.listens()
        assert value(running.page(), "flatfile_up") == 0
        assert running.text.count(PROXY_ERROR) == warned
        assert "SECRET" not in running.text + checked.stderr


# Staying up


@pytest.mark.parametrize(
    ("base_url", "secret", "reason"),
    [
        ("API", "wrong", "unauthorized"),
        ("http://127.0.0.1:9", SECRET, "connection"),
        ("https://127.0.0.1:9", SECRET, "connection"),
        ("https://no-such-host.invalid/v1", SECRET, "connection"),
    ],
)
def test_it_stays_up_whatever_flatfile_does(
    api: SimulatedServer, tmp_path: Path, base_url: str, secret: str, reason: str
) -> None:
    url = api.base_url if base_url == "API" else base_url
    with serving(configuration(account_lines("acme", url, secret)), tmp_path) as running:
        page = running.page()
        assert value(page, "flatfile_up") == 0
        for collector in ("environments", "users"):
            errors = value(page, "flatfile_exporter_collector_errors_total", collector=collector, reason=reason)
            assert errors == 1
            assert value(page, "flatfile_exporter_collector_success", collector=collector) == 0
        assert value(page, "flatfile_environments") is None
        assert running.get("/-/ready").status_code == running.get("/-/healthy").status_code == 200
        assert f"failed: {reason}" in running.page("/")
        assert SECRET not in running.text + running.page("/") + page
        running.signal(signal.SIGTERM)
        ends_well(running)


def test_it_comes_back_when_flatfile_does(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.stop_listening)
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path) as running:
        assert value(running.page(), "flatfile_up") == 0
        api.call(api.listen)
        eventually(lambda: value(running.page(), "flatfile_up") == 1, "flatfile_up 1")
        assert "refresh succeeded again" in running.text


# Ending


def test_it_ends_while_a_scrape_hangs_and_answers_it(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "*", Hang())
    with serving(configuration(account_lines("acme", api.base_url), more=PATIENT), tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 250\r\n\r\n")
            eventually(lambda: api.in_flight, "a request to the API")
            running.signal(signal.SIGTERM)
            answer = b""
            while piece := scrape.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"flatfile_up" in answer or b"content-encoding: gzip" in answer
        ends_well(running)


def test_it_ends_while_a_client_keeps_its_connection_and_reads_nothing(api: SimulatedServer, tmp_path: Path) -> None:
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as idle, socket.create_connection((host, int(port))) as half:
            half.sendall(b"GET /metrics HTTP/1.1\r\nHo")
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            running.page()
            running.signal(signal.SIGTERM)
            ends_well(running)


def test_a_second_signal_ends_it_at_once(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "*", Hang())
    with serving(configuration(account_lines("acme", api.base_url), more=PATIENT), tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 250\r\n\r\n")
            eventually(lambda: api.in_flight, "a request to the API")
            running.signal(signal.SIGTERM)
            running.wait_for("shutting down")
            running.signal(signal.SIGTERM)
            assert running.ended() == 0
            assert scrape.recv(1) == b""
        assert "Traceback" not in running.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(api: SimulatedServer, tmp_path: Path, number: signal.Signals) -> None:
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path, fresh=True) as running:
        running.page()
        running.signal(number)
        ends_well(running)


HANGING_RESOLVER = """
import socket, sys, time

def look_up(host, *rest, **named):
    if host not in ("slow.invalid", b"slow.invalid"):
        return found(host, *rest, **named)
    print("looking up slow.invalid", file=sys.stderr, flush=True)
    time.sleep(3600)

found, socket.getaddrinfo = socket.getaddrinfo, look_up
from exporter.cli.main import main

sys.exit(main(sys.argv[1:]))
"""


def test_it_ends_while_a_name_is_looked_up_for_ever(tmp_path: Path) -> None:
    """The resolver of the C library cannot be interrupted, and a thread that waits for it cannot be left behind."""
    path = tmp_path / "config.yaml"
    path.write_text(configuration(account_lines("acme", "https://slow.invalid/v1")))
    with exporter(f"--config.file={path}", ANY_PORT, program=("-c", HANGING_RESOLVER)) as running:
        answer = running.listens().get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="0.5")
        assert value(answer.text, "flatfile_up") == 0
        running.wait_for("looking up slow.invalid")
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert "Traceback" not in running.text


# Reload


def test_hanging_up_reloads_all_or_nothing(api: SimulatedServer, tmp_path: Path) -> None:
    one, two = account_lines("one", api.base_url), account_lines("two", api.base_url)
    path = tmp_path / "config.yaml"
    with serving(configuration(one, two), tmp_path) as running:
        before = running.page()
        assert value(before, "flatfile_users", account="two") == 5

        path.write_text(configuration(one, account_lines("three", api.base_url)))
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*accounts=2 new_or_changed=1 gone_or_changed=1")
        asked = api.count("/users")
        assert {t["labels"].get("__param_target") for t in running.get("/sd").json()} == {None, "one", "three"}
        assert running.get("/probe?target=two").status_code == 400
        after = running.page()
        assert 'account="two"' not in after
        assert value(after, "flatfile_users", account="three") == 5
        assert api.count("/users") == asked + 1, "the unchanged account keeps what it knows"
        for name in ("flatfile_exporter_collector_last_success_timestamp_seconds", "flatfile_users"):
            labels = {"collector": "users"} if "collector" in name else {}
            assert value(after, name, account="one", **labels) == value(before, name, account="one", **labels)
        counter = ("flatfile_exporter_api_requests_total", "/users")
        assert value(after, counter[0], account="one", endpoint=counter[1], code="200") == 1

        path.write_text(configuration(one) + "nonsense: 1\n")
        running.signal(signal.SIGHUP)
        running.wait_for("reload failed.*nonsense")
        bad = running.page()
        assert value(bad, "flatfile_exporter_config_last_reload_successful") == 0
        assert value(bad, "flatfile_users", account="three") == 5

        path.unlink()
        running.signal(signal.SIGHUP)
        running.wait_for("reload failed.*no such file")
        path.write_text(configuration(two))
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*accounts=1 new_or_changed=1 gone_or_changed=2")
        last = running.page()
        assert value(last, "flatfile_exporter_config_last_reload_successful") == 1
        assert 'account="one"' not in last
        assert value(last, "flatfile_users", account="two") == 5
        running.signal(signal.SIGTERM)
        ends_well(running)


def test_a_reload_while_an_account_that_goes_is_being_asked(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "*", Hang())
    with serving(configuration(account_lines("one", api.base_url), more=PATIENT), tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as scrape:
            scrape.sendall(
                b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"X-Prometheus-Scrape-Timeout-Seconds: 250\r\n\r\n"
            )
            eventually(lambda: api.in_flight, "a request to the API")
            (tmp_path / "config.yaml").write_text(configuration(account_lines("two", api.base_url)))
            running.signal(signal.SIGHUP)
            running.wait_for("configuration loaded.*gone_or_changed=1")
            assert scrape.recv(15) == b"HTTP/1.1 200 OK"
        assert "Traceback" not in running.text


# Logs


def test_logs_are_logfmt_and_a_failure_is_one_line(api: SimulatedServer, tmp_path: Path) -> None:
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path) as running:
        for _ in range(3):
            running.page()
        assert not [line for line in running.lines if "listening" not in line and "loaded" not in line]
        api.call(api.faults.add, "/users", Status(503))
        quiet = len(running.lines)
        running.get("/probe?target=acme&collect[]=events")
        (tmp_path / "config.yaml").write_text(configuration(account_lines("acme2", api.base_url)))
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*new_or_changed=1")
        running.page("/probe?target=acme2&collect[]=users")
        running.signal(signal.SIGTERM)
        ends_well(running)
        failures = [line for line in running.lines[quiet:] if "level=WARN" in line]
        assert len(failures) == 1
        for field in (
            "account=acme2",
            "collector=users",
            "endpoint=/users",
            "status=503",
            "attempt=1",
            "reason=server_error",
        ):
            assert field in failures[0]


def test_logs_as_json(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "/users", Status(503))
    with serving(configuration(account_lines("acme", api.base_url)), tmp_path, "--log.format=json") as running:
        running.page()
        running.signal(signal.SIGTERM)
        ends_well(running)
        records = [json.loads(line) for line in running.lines]
        (failure,) = [record for record in records if record["level"] == "WARN"]
        assert failure["reason"] == "server_error"
        assert failure["endpoint"] == "/users"


def test_debug_tells_of_good_refreshes_and_never_a_secret(api: SimulatedServer, tmp_path: Path) -> None:
    text = configuration(account_lines("acme", api.base_url))
    with serving(text, tmp_path, "--log.level=debug") as running:
        running.page()
        assert 'msg="refreshed"' in running.text
        assert not {"SECRET", "eyJ", "Bearer"} & set(re.findall(r"SECRET|eyJ|Bearer", running.text))


def test_errors_alone(api: SimulatedServer, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(configuration(account_lines("acme", "http://127.0.0.1:9")))
    port = free_port()
    with exporter(f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error") as running:
        running.url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(port), "an open port")
        running.page()
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert running.lines == []


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
