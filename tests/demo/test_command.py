"""`python -m exporter.demo`: the account alone, for curl."""

import re
import signal
import subprocess
import sys

import httpx

from exporter.demo.accounts import CLIENT_ID, SECRET


def test_it_serves_and_says_where() -> None:
    command = [sys.executable, "-m", "exporter.demo", "--port", "0", "--seed", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            base_url = re.findall(r"http://127\.0\.0\.1:\d+/v1", lines[0])[0]
            assert CLIENT_ID in lines[1]
            assert SECRET in lines[2]
            body = {"clientId": CLIENT_ID, "secret": SECRET}
            token = httpx.post(base_url + "/auth", json=body, trust_env=False).json()["accessToken"]
            headers = {"Authorization": f"Bearer {token}"}
            listed = httpx.get(base_url + "/environments", headers=headers, trust_env=False).json()["data"]
            assert listed[0]["name"] == "production"
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
