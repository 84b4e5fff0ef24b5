"""Cells in which no connection can be made: refused, a name without an address, a certificate that is not to be trusted."""

import datetime
import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from .cells import Cell
from .resolver import SUFFIX

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@functools.cache
def authority(name: str) -> trustme.CA:
    """A certificate authority; the exporter trusts the one named `ours`."""
    return trustme.CA(organization_name=name)


def certificate(trial: str) -> trustme.LeafCert:
    """What the server shows in a trial; a right one where the trial is none of these."""
    if trial == "tls-authority":
        return authority("somebody else's").issue_cert("127.0.0.1")
    if trial == "tls-name":
        return authority("ours").issue_cert("elsewhere.test")
    if trial == "tls-expired":
        return authority("ours").issue_cert("127.0.0.1", not_after=LONG_AGO)
    return authority("ours").issue_cert("127.0.0.1", f"*{SUFFIX}")


@dataclass
class HostCell(Cell):
    """`no_names`: the file of the ports whose hosts have no address; `ca_file`: the certificate to trust."""

    no_names: Path = field(kw_only=True)
    ca_file: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        if self._trial.startswith("tls") or self._trial == "no-name":
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate("right").configure_cert(self._context)
        super().__post_init__()
        self.api.switches.keep_alive = False  # a connection that is there already needs neither name nor certificate

    @property
    def _trial(self) -> str:
        return self.trial.id if self.trial else ""

    def ssl_context(self) -> ssl.SSLContext | None:
        return self._context

    @property
    def base_url(self) -> str:
        by_name = f"p{self.api.port}{SUFFIX}"
        return self.api.base_url.replace("127.0.0.1", by_name) if self._trial == "no-name" else self.api.base_url

    def requests(self) -> str:
        settings = super().requests()
        return settings.replace("}", f", tls: {{ca_file: '{self.ca_file}'}}}}") if self._context else settings

    async def break_(self, elsewhere: str) -> Callable[[], bool]:
        asked = self.api.count()
        if self._trial == "no-name":
            self._without_names({*self.no_names.read_text().split(), str(self.api.port)})
        elif self._context is not None:
            certificate(self._trial).configure_cert(self._context)
        else:
            await self.api.stop_listening()
        return lambda: self.api.count() == asked

    async def mend(self) -> None:
        if self._trial == "no-name":
            self._without_names({*self.no_names.read_text().split()} - {str(self.api.port)})
        elif self._context is not None:
            certificate("right").configure_cert(self._context)
        else:
            await self.api.listen()

    def _without_names(self, ports: set[str]) -> None:
        new = self.no_names.with_suffix(".new")
        new.write_text("\n".join(sorted(ports)), encoding="ascii")
        new.replace(self.no_names)  # in one step: the exporter reads it at any moment
