"""The ledger of what simulated accounts were asked, over which a whole run of tests is judged."""

from pathlib import Path

import httpx

from tests.simulator.ledger import Ledger, kinds, strange
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world

ALLOWED = [("GET", "/spaces"), ("POST", "/auth")]


async def test_requests_of_the_exporter_are_written_whatever_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    async with SimulatedServer(fixed_world(lambda: 1.7e9)) as api, httpx.AsyncClient(base_url=api.base_url) as client:
        api.ledger = Ledger(path)
        for agent in ("flatfile-exporter/1.0", "curl/8"):
            client.headers["User-Agent"] = agent
            await client.get("/spaces", params={"pageSize": "1"})
            if agent.startswith("flatfile"):
                await client.delete("/spaces/us_sp_1")
        await client.post("/events/1/ack")
    assert kinds(path) == {("GET", "/spaces"), ("DELETE", "/spaces/us_sp_1")}
    assert strange(kinds(path), ALLOWED) == [("DELETE", "/spaces/us_sp_1")]


def test_several_ledgers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    for _ in range(2):
        ledger = Ledger(path)
        for _ in range(3):
            ledger.note("GET", "/spaces", "flatfile-exporter/1.0")
    assert path.read_text(encoding="utf-8").count("\n") == 2
    assert kinds(path) == {("GET", "/spaces")}


def test_what_is_strange() -> None:
    seen = [("GET", "/v1/spaces"), ("GET", "/spaces"), ("POST", "/api/v1/auth"), ("GET", "/auth"), ("GET", "/spaces/x")]
    assert strange(seen, ALLOWED) == [("GET", "/auth"), ("GET", "/spaces/x")]
