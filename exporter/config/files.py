"""The files that a configuration names: what can be said about them before they are used."""

import os
import ssl
import stat
from pathlib import Path

READABLE_BY_ALL = "every user of this machine can read the file: chmod o-r would keep the credential private"


def is_public(mode: int) -> bool:
    """Whether every user may read a file of this mode."""
    return bool(mode & stat.S_IROTH)


def warn_about_file(path: Path, confidential: bool) -> list[str]:
    """Warnings about a file that is read when a token is needed; it may well appear later."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [
            f"{reason(error)}; the file is read whenever a token is needed, and until then no data can be asked for"
        ]
    if stat.S_ISDIR(mode):
        return ["this is a directory, not a file"]
    if not os.access(path, os.R_OK):
        return ["the user that this runs as may not read the file"]
    if confidential and is_public(mode):
        return [READABLE_BY_ALL]
    return []


def check_ca_file(path: Path) -> str | None:
    """The problem of a file of certificates, None when it can be used."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "the file holds no certificate in PEM form"
    except OSError as error:
        return reason(error)
    return None


def reason(error: OSError) -> str:
    """Why a file could not be read, in the system's words."""
    return (error.strerror or "cannot be read").lower()
