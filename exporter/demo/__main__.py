"""`python -m exporter.demo`: serve only the API of the simulated account, for curl and for the exporter's commands."""

import argparse
import asyncio
import signal
import sys
import time

from exporter.demo.accounts import CLIENT_ID, SECRET, demo_world
from exporter.demo.life import Life
from exporter.demo.server import DemoServer
from exporter.demo.serving import commands


async def serve(port: int, seed: int) -> None:
    """Serve until SIGTERM or SIGINT, also where this process was started with them ignored."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    world = demo_world(time.time, seed)
    async with DemoServer(world, life=Life(world, seed), port=port) as api:
        sys.stdout.write(
            f"base URL:  {api.base_url}\nclient id: {CLIENT_ID}\nsecret:    {SECRET}\n\n"
            f"{commands(api.base_url, 'flatfile-exporter')}"
            f"curl -s {api.base_url}/auth -H 'Content-Type: application/json' \\\n"
            f'  -d \'{{"clientId":"{CLIENT_ID}","secret":"{SECRET}"}}\'\n'
        )
        sys.stdout.flush()
        await told.wait()


def main() -> None:
    """Read the flags and serve."""
    parser = argparse.ArgumentParser(prog="python -m exporter.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--seed", type=int, default=1, help="which account: the same seed, the same account")
    flags = parser.parse_args()
    asyncio.run(serve(flags.port, flags.seed))


if __name__ == "__main__":
    main()
