"""Any query, path and headers: an answer that says what is wrong with them, never a fault of ours."""

import asyncio
import time
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving import serving
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

NAMES = st.sampled_from(["target", "collect[]", "only", "debug", "collect", "TARGET", "", "x"])
VALUES = st.one_of(
    st.sampled_from(["acme", "acme ", "exporter", "true", "users", "events", "environments", "%", "%zz", "..", "*"]),
    st.text(max_size=30).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
    st.binary(max_size=20).map(quote),
)
QUERIES = st.one_of(
    st.lists(st.tuples(NAMES, VALUES).map("=".join), max_size=6).map("&".join),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60),
)
PATHS = st.one_of(
    st.sampled_from(
        ["/metrics", "/probe", "/sd", "/", "/-/healthy", "/-/ready", "/-/reload", "/nothing", "//", "/%00"]
    ),
    st.text(max_size=20).map(lambda text: "/" + quote(text.encode("utf-8", "surrogatepass"))),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Accept", "Accept-Encoding", "X-Prometheus-Scrape-Timeout-Seconds", "Host", "If-None-Match"]),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60),
    ),
    max_size=4,
)
ASKED = st.tuples(st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "X"]), PATHS, QUERIES, HEADERS)


@settings(max_examples=12, deadline=None)
@given(st.lists(ASKED, min_size=1, max_size=40))
def test_whatever_is_asked(asked: list[tuple[str, str, str, list[tuple[str, str]]]]) -> None:
    async def ask() -> None:
        world = sized_world(time.time, environments=1, spaces=2, guests=2, users=1, agents=1)
        async with SimulatedServer(world) as api, serving(api) as there:
            for method, path, query, headers in asked:
                lines = [f"{method} {path}?{query} HTTP/1.1", "Connection: close", *(f"{k}: {v}" for k, v in headers)]
                if not any(name == "Host" for name, _ in headers):
                    lines.append("Host: exporter")
                answer = await there.raw("\r\n".join([*lines, "", ""]).encode("ascii"))
                status = int(answer.split(b" ", 2)[1])
                assert status in (200, 400, 403, 404, 405, 503), (method, path, query, headers, answer[:200])
                assert status != 503 or path == "/-/ready"
            assert (await there.get("/metrics")).status_code == 200

    asyncio.run(ask())
