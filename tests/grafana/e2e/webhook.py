"""A receiver of Alertmanager's notifications: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Notified:
    """One alert of a notification. `status` is `firing` or `resolved`."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        return self.labels["alertname"]

    def __str__(self) -> str:
        rest = {name: value for name, value in self.labels.items() if name != "alertname"}
        return f"{self.name} {self.status} {rest}"


class Webhook:
    """`notified` is all that came so far, in the order in which it came, in so many `messages`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.notified: list[Notified] = []
        self.messages = 0

    def take(self, body: bytes) -> None:
        message: dict[str, Any] = json.loads(body)
        self.messages += 1
        for alert in message["alerts"]:
            self.notified.append(Notified(alert["status"], alert["labels"], alert["annotations"]))

    def of(self, name: str, labels: Mapping[str, str] = {}) -> list[Notified]:
        """What came of this alert, with these labels among others."""
        wanted = {"alertname": name, **labels}
        return [alert for alert in self.notified if wanted.items() <= alert.labels.items()]


@contextlib.contextmanager
def listening() -> Iterator[Webhook]:
    """Receive, in a thread."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        webhook = Webhook(f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, name="webhook")
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()
