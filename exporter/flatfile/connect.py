"""A client from an account's configuration."""

import asyncio
import ssl
from functools import lru_cache

from exporter import __version__
from exporter.config import AccountConfig
from exporter.config.files import reread_certificates
from exporter.config.values import TOKEN
from exporter.core.clock import Clock
from exporter.core.secret import Secret
from exporter.core.worker import Worker
from exporter.flatfile.auth import Stored
from exporter.flatfile.client import Client
from exporter.flatfile.limits import Limiter
from exporter.flatfile.session import Observer, Session
from exporter.flatfile.transport import Transport, default_tls_context

USER_AGENT = f"flatfile-exporter/{__version__}"


def connect(config: AccountConfig, observer: Observer, clock: Clock, worker: Worker | None = None) -> Client:
    """Make a client, which decodes large pages by `worker`. Nothing is sent yet.

    Raises OSError (ssl.SSLError) for certificates that cannot be used, ValueError for a proxy that cannot be used.
    """
    requests = config.requests
    transport = transport_of(config)
    session = Session(
        config.base_url,
        transport,
        Limiter(requests.concurrency, requests.per_second, asyncio.get_running_loop().time),
        requests,
        observer,
        clock,
        account=config.name,
    )
    auth = config.auth
    if auth.access_token or auth.access_token_file:
        session.use_token(Stored(auth.access_token, auth.access_token_file, TOKEN))
    else:
        client_id = Stored(Secret(auth.client_id) if auth.client_id else None, auth.client_id_file)
        session.use_credentials(client_id, Stored(auth.client_secret, auth.client_secret_file))
    return Client(session, requests.max_pages, requests.max_rows, worker)


def transport_of(config: AccountConfig) -> Transport:
    """Make the transport alone, to which the same applies."""
    plain, tls = config.base_url.startswith("http://"), config.requests.tls

    async def reread() -> ssl.SSLContext:
        pem = config.ca_pem if tls.ca_file is None else await reread_certificates(tls.ca_file)
        return tls_context(pem, tls.insecure_skip_verify)

    return Transport(
        user_agent=USER_AGENT,
        verify=None if plain else tls_context(config.ca_pem, tls.insecure_skip_verify),
        reread=reread,
        proxy=config.proxy.reveal() if config.proxy else None,
    )


@lru_cache(maxsize=16)
def tls_context(ca_pem: str | None, insecure: bool) -> ssl.SSLContext:
    """Return the TLS context, one for all accounts with the same settings: with these certificates, or the usual ones."""
    context = ssl.create_default_context(cadata=ca_pem) if ca_pem else default_tls_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
