"""The exporter with a resolver that fails when it is told to: `resolver.py FILE ARGUMENTS OF THE EXPORTER...`.

The file holds the ports, one a line, of the hosts whose names do not resolve. Python tells an audit hook of each name that is
about to be looked up, and what the hook raises is what the lookup raises: no network is needed.
"""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from exporter.cli.main import main


def failing(ports: Path) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that raises what a lookup raises where no name server answers."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo" and str(arguments[1]) in ports.read_text(encoding="ascii").split():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    return refuse


if __name__ == "__main__":
    sys.addaudithook(failing(Path(sys.argv.pop(1))))
    sys.exit(main())
