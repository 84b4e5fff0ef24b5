"""Files that a configuration names, in the way of the real process: they block, they are no files, they change."""

import os
import signal
import ssl
from pathlib import Path

import pytest
import trustme

from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .process import ANY_PORT, eventually, exporter, run

HUNG_MOUNT = """\
import os, threading
opened, looked = os.open, os.stat
def open_(path, *arguments, **named):
    if "on-a-hung-mount" in os.fspath(path):
        threading.Event().wait()
    return opened(path, *arguments, **named)
def stat(path, *arguments, **named):
    if not isinstance(path, int) and os.fspath(path).endswith("web.yml"):
        if os.access(os.path.dirname(path) + "/hangs-now", os.F_OK):
            threading.Event().wait()
    return looked(path, *arguments, **named)
os.open, os.stat = open_, stat
"""
"""sitecustomize.py: a mount whose server does not answer cannot be had without privileges."""


@pytest.fixture
def api():  # type: ignore[no-untyped-def]
    with SimulatedServer(sized_world(lambda: 1_790_000_000.0, environments=1, spaces=2)).in_thread() as running:
        yield running


def replace(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)


def test_a_secret_on_a_hung_mount_holds_up_its_own_account_alone(api: SimulatedServer, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HUNG_MOUNT, encoding="utf-8")
    hung = f"  - {{name: hung, base_url: '{api.base_url}', auth: {{access_token_file: {tmp_path}/on-a-hung-mount}}}}\n"
    config = tmp_path / "config.yaml"
    config.write_text(configuration(account_lines("acme", api.base_url), hung), encoding="utf-8")
    env = {"PYTHONPATH": str(tmp_path)}
    with exporter(f"--config.file={config}", ANY_PORT, env=env) as running:
        running.listens()
        assert "access_token_file: no answer within 3s" in running.text
        for _ in range(2):
            page = running.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="3")
            assert 'flatfile_up{account="acme"} 1' in page.text
            assert 'flatfile_up{account="hung"} 1' not in page.text
        assert running.get("/-/healthy").status_code == 200
        replace(config, configuration(account_lines("acme", api.base_url)))
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*gone_or_changed=1")
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


def test_a_web_configuration_through_a_fifo_is_refused_and_the_process_goes_on(
    api: SimulatedServer, tmp_path: Path
) -> None:
    config, web = tmp_path / "config.yaml", tmp_path / "web.yml"
    replace(config, configuration(account_lines("acme", api.base_url)))
    os.mkfifo(web)
    done = run("--config.file", str(config), "--web.config.file", str(web))
    assert (done.returncode, done.stderr.strip()) == (1, f"{web}: it is a FIFO, not a regular file")
    web.unlink()
    replace(web, "{}\n")
    with exporter(f"--config.file={config}", f"--web.config.file={web}", ANY_PORT) as running:
        running.listens()
        web.unlink()
        os.mkfifo(web)
        eventually(lambda: running.get("/-/healthy").status_code == 500, "nothing is answered without the rules")
        running.wait_for("web configuration rejected.*it is a FIFO")
        web.unlink()
        replace(web, "{}\n")
        eventually(lambda: running.get("/-/healthy").status_code == 200, "all is well again")


def test_a_web_configuration_on_a_mount_that_hangs_stays_in_force(api: SimulatedServer, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HUNG_MOUNT, encoding="utf-8")
    config, web = tmp_path / "config.yaml", tmp_path / "web.yml"
    replace(config, configuration(account_lines("acme", api.base_url)))
    replace(web, "http_server_config: {headers: {X-Frame-Options: deny}}\n")
    env = {"PYTHONPATH": str(tmp_path)}
    with exporter(f"--config.file={config}", f"--web.config.file={web}", ANY_PORT, env=env) as running:
        running.listens()
        assert running.get("/-/healthy").status_code == 200
        (tmp_path / "hangs-now").touch()
        for _ in range(5):
            answer = running.get("/-/healthy")
            assert (answer.status_code, answer.headers["x-frame-options"]) == (200, "deny")
        assert 'flatfile_up{account="acme"} 1' in running.page()
        assert running.text.count("web configuration files do not answer: the last rules stay") == 1
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


@pytest.mark.parametrize("reload", [True, False])
def test_another_authority_takes_effect(tmp_path: Path, reload: bool) -> None:
    """At a reload, or once its certificates are missed. As Kubernetes does it: a link through `..data`, which is swapped."""
    authorities = [trustme.CA(), trustme.CA()]
    for number, authority in enumerate(authorities):
        (tmp_path / f"..{number}").mkdir()
        authority.cert_pem.write_to_path(str(tmp_path / f"..{number}" / "ca.pem"))
        os.utime(tmp_path / f"..{number}" / "ca.pem", (1, 1))
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "ca.pem").symlink_to("..data/ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authorities[1].issue_cert("127.0.0.1").configure_cert(context)
    world = sized_world(lambda: 1_790_000_000.0, environments=1, spaces=2)
    with SimulatedServer(world, ssl_context=context).in_thread() as api:
        config = tmp_path / "config.yaml"
        ca = f"requests: {{tls: {{ca_file: {tmp_path}/ca.pem}}, retries: 1}}\n"
        replace(config, configuration(account_lines("acme", api.base_url), more=ca))
        with exporter(f"--config.file={config}", ANY_PORT) as running:
            running.listens()
            assert 'flatfile_up{account="acme"} 0' in running.page()
            running.signal(signal.SIGHUP)
            running.wait_for("configuration loaded.*new_or_changed=0")
            (tmp_path / "..new").symlink_to("..1")
            (tmp_path / "..new").rename(tmp_path / "..data")
            if reload:
                running.signal(signal.SIGHUP)
                running.wait_for("configuration loaded.*new_or_changed=1")
                assert 'flatfile_up{account="acme"} 1' in running.page()
                running.signal(signal.SIGHUP)
                running.wait_for("configuration loaded.*new_or_changed=0")
            else:
                eventually(lambda: 'flatfile_up{account="acme"} 1' in running.page(), "trust in the other authority")


def test_check_config_names_a_secret_that_cannot_be_one(tmp_path: Path) -> None:
    for name, content in {"quoted": '"hunter2"\n', "blank": "hunter2 \n", "lines": "hunter2\n\n"}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        config = tmp_path / "config.yaml"
        replace(config, f"accounts: [{{name: acme, auth: {{access_token_file: {name}}}}}]\n")
        for command in (["check-config"], []):
            done = run(*command, f"--config.file={config}")
            assert done.returncode == 1
            assert "config.yaml:1:51: accounts[0].auth.access_token_file: the content must" in done.stderr
            assert "hunter2" not in done.stderr
