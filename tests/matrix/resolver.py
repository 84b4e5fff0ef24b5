"""The exporter with a resolver that fails when it is told to: `resolver.py FILE ARGUMENTS OF THE EXPORTER...`.

The file holds the ports, one a line, of the hosts whose names do not resolve. `p8080.names.test` is this host, and stands for
that port; any other name is looked up as ever. No network is needed.
"""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUFFIX = ".names.test"


def looking_up(ports: Path) -> Callable[..., list[Any]]:
    """A look-up that fails for these hosts as where no name server answers."""
    really = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **named: Any) -> list[Any]:
        if str(host).endswith(SUFFIX):
            if str(host).removeprefix("p").removesuffix(SUFFIX) in ports.read_text(encoding="ascii").split():
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            host = "127.0.0.1"
        return really(host, *arguments, **named)

    return look_up


if __name__ == "__main__":
    socket.getaddrinfo = looking_up(Path(sys.argv.pop(1)))  # type: ignore[assignment]

    from exporter.cli.main import main

    sys.exit(main())
