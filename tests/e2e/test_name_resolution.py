"""Name resolution that hangs for some accounts: the others are refreshed, and every scrape is answered."""

from pathlib import Path

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import ANY_PORT, exporter
from tests.simulator.server import SimulatedServer

ACCOUNT = f"  - {{name: %s, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}\n"
HANGING = """
import socket, sys, time
from exporter.cli.main import main

def look_up(host, *rest, **named):
    if "invalid" in str(host):
        time.sleep(3600)
    return found(host, *rest, **named)

found, socket.getaddrinfo = socket.getaddrinfo, look_up
sys.exit(main(sys.argv[1:]))
"""


def test_three_accounts_whose_names_hang_and_one_that_works(api: SimulatedServer, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    urls = {f"hangs{number}": f"https://hangs{number}.invalid/v1" for number in range(3)}
    urls["works"] = api.base_url.replace("127.0.0.1", "localhost")  # a name, too
    path.write_text("accounts:\n" + "".join(ACCOUNT % account for account in urls.items()), encoding="utf-8")
    path.chmod(0o600)
    with exporter(f"--config.file={path}", ANY_PORT, program=("-c", HANGING)) as running:
        running.listens()
        for _ in range(4):
            page = running.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="2").text
            assert 'flatfile_up{account="works"} 1' in page
            assert page.count("flatfile_up{") == 4
            assert 'flatfile_users{account="works"} 5' in running.page("/probe?target=works")
