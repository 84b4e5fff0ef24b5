"""The current web configuration: checks its files at each use, and reads them again when they change.

What is in force can only ever be a configuration that is right. A file that is wrong, or that would open a door
while the exporter runs, shuts it: `rules` gives None until the file is right again.
"""

import logging
import stat
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from exporter.config import Config, ConfigError
from exporter.config.files import read_file, reason
from exporter.config.problems import Place, Problems
from exporter.config.yaml_tree import MAX_CHARACTERS
from exporter.core.logs import fields
from exporter.core.worker import start_thread
from exporter.web_config.reading import parse
from exporter.web_config.tls import ServerContext, TlsError, digest, make_context, read_client_ca, read_pem
from exporter.web_config.types import Tls, WebConfig

log = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds. A file can be written twice within the resolution of its time, so a younger time is not trusted."""

MAX_WAIT = 1.0
"""Seconds that a request waits for the files, once, when their mount hangs."""

Stamp = tuple[int, ...] | None


class WebConfigError(ConfigError):
    """As ConfigError; `files` are those to watch, `certificate_alone`: nothing but the server's certificate is wrong."""

    def __init__(self, problems: tuple[str, ...], files: tuple[Path, ...], certificate_alone: Tls | None) -> None:
        super().__init__(problems)
        self.files = files
        self.certificate_alone = certificate_alone


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration with the content of its files. `context` None: without TLS."""

    config: WebConfig
    context: ServerContext | None
    digest: bytes
    client_ca: bytes | None
    files: tuple[Path, ...]
    warnings: tuple[str, ...]

    def same(self, other: "Loaded") -> bool:
        return self.config == other.config and self.digest == other.digest


def load(path: Path) -> Loaded:
    """Read the file and all it names. Raises WebConfigError, whose lines are `file:line:column: path: message`."""
    files: tuple[Path, ...] = (path,)
    try:
        text = read_file(path, 4 * MAX_CHARACTERS)[0].decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise WebConfigError((f"{path}: {why}",), files, None) from None
    problems = Problems(str(path))
    config, places = parse(text, str(path), problems)
    if config is None:
        raise WebConfigError(problems.lines(), files, None)
    tls = config.tls
    if tls is None:
        return Loaded(config, None, b"", None, files, problems.warnings())
    files += tls.files
    try:
        pem = read_pem(tls)
        context = make_context(tls, pem)
    except TlsError as error:
        for key, message in error.problems:
            name = f"tls_server_config.{key}"
            problems.add(places.get(name, Place(1, 1, name)), message)
        alone = all(key in ("cert_file", "key_file") for key, _ in error.problems)
        raise WebConfigError(problems.lines(), files, tls if alone else None) from None
    stamp = _stamp(tls.key) if isinstance(tls.key, Path) else None
    if stamp is not None and stamp[2] & stat.S_IROTH:
        problems.warn(
            places["tls_server_config.key_file"],
            "the file is readable by every user of this machine: run chmod o-r on it",
        )
    return Loaded(config, context, digest(pem), pem.client_ca, files, problems.warnings())


class WebFile:
    """The configuration of one file. Creating it raises WebConfigError if the file is invalid."""

    def __init__(
        self, path: Path, wall: Callable[[], float] = time.time, read: Callable[[Path], Loaded] = load
    ) -> None:
        self._path = path
        self._wall = wall
        self._read = read
        self._loaded = read(path)
        self._watched = self._loaded.files
        # What it names is known only now, after it was read: the first question reads it once more.
        self._seen: tuple[Stamp, ...] | None = None
        self._problem: str | None = None
        self._shut = False
        self._looking: Future[None] = Future()
        self._looking.set_result(None)
        self._answers = True
        self._warn(self._loaded.warnings)

    @property
    def tls(self) -> bool:
        """Whether the server uses TLS. This does not change at run time."""
        return self._loaded.context is not None

    def context(self) -> ServerContext:
        """Return the context for a new connection: the last valid one."""
        self._look()
        if self._loaded.context is None:
            raise RuntimeError("there is no TLS")
        return self._loaded.context

    def rules(self) -> WebConfig | None:
        """Return the rules for a request. None: the file is invalid, so no request may be answered."""
        self._look()
        return None if self._shut else self._loaded.config

    def check(self) -> None:
        """Read the file now, and again at the next use. May run in a thread. Raises ConfigError."""
        self._seen = None
        self._refuse_openings(self._read(self._path))

    def _look(self) -> None:
        """Look at the files on a thread: a mount that hangs delays one use by MAX_WAIT, and the last rules stay."""
        waits = self._looking.done()
        if waits:
            self._looking = start_thread("web configuration", self._look_now)
        try:
            self._looking.result(MAX_WAIT if waits else 0)
        except (TimeoutError, RuntimeError):
            if self._answers:
                log.warning("web configuration files do not answer: the last rules stay")
            self._answers = False
        else:
            self._answers = True

    def _look_now(self) -> None:
        stamps = self._stamps()
        if stamps == self._seen:
            return
        try:
            loaded = self._read(self._path)
            self._refuse_openings(loaded)
        except ConfigError as error:
            self._refused(error)
        else:
            self._accepted(loaded)
        # The stamps are those of before the reading, so files that were not watched then differ from them.
        self._seen = stamps if self._settled(stamps) else None

    def _refuse_openings(self, loaded: Loaded) -> None:
        """Raise WebConfigError if the change would open access by accident, such as a file that is empty for a moment."""
        before, now = self._loaded.config, loaded.config
        lines = [
            f"{self._path}: {lock} was removed: restart the exporter to open access"
            for lock in sorted(before.locks - now.locks)
        ]
        if (before.tls is None) != (now.tls is None):
            lines.append(
                f"{self._path}: tls_server_config was {'added' if now.tls else 'removed'}: restart the exporter to "
                f"turn TLS {'on' if now.tls else 'off'}"
            )
        if lines:
            raise WebConfigError(tuple(lines), loaded.files, None)

    def _accepted(self, loaded: Loaded) -> None:
        if not loaded.same(self._loaded) or self._problem is not None:
            self._loaded = loaded
            log.info("web configuration loaded", extra=fields(file=str(self._path), summary=loaded.config.summary))
            self._warn(loaded.warnings)
        self._watched = loaded.files
        self._problem = None
        self._shut = False

    def _refused(self, error: ConfigError) -> None:
        files = error.files if isinstance(error, WebConfigError) else (self._path,)
        self._watched = tuple(dict.fromkeys((*self._loaded.files, *files)))
        stays = isinstance(error, WebConfigError) and self._certificate_stays(error)
        self._shut = not stays
        if self._problem == str(error):
            return
        self._problem = str(error)
        then = "the previous certificate stays" if stays else "every request is answered with status 500"
        log.error(f"web configuration rejected: {then}", extra=fields(error=str(error)))

    def _certificate_stays(self, error: WebConfigError) -> bool:
        """Return whether only the server's certificate or key is invalid, as in the middle of their renewal."""
        if error.certificate_alone is None or error.certificate_alone != self._loaded.config.tls:
            return False
        try:
            return read_client_ca(error.certificate_alone) == self._loaded.client_ca
        except OSError:
            return False

    def _warn(self, lines: Iterable[str]) -> None:
        for line in lines:
            log.warning("web configuration", extra=fields(warning=line))

    def _stamps(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self._watched))

    def _settled(self, stamps: Iterable[Stamp]) -> bool:
        now = self._wall()
        return all(stamp is None or abs(now - stamp[-1] / 1e9) > _TICK for stamp in stamps)


def both(source: Callable[[], Config], check_web: Callable[[], object]) -> Callable[[], Config]:
    """Return a function that loads the configuration and checks the web configuration; it raises the errors of both."""

    def load_both() -> Config:
        problems: tuple[str, ...] = ()
        try:
            check_web()
        except ConfigError as error:
            problems = error.problems
        try:
            config = source()
        except ConfigError as error:
            raise ConfigError((*error.problems, *problems)) from None
        if problems:
            raise ConfigError(problems)
        return config

    return load_both


def _stamp(path: Path) -> Stamp:
    """Return what changes when the file does; None if it cannot be read."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
