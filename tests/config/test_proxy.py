"""Which proxy the environment's variables give for a base URL."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.config import from_environment, load

PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


def chosen(
    env: Mapping[str, str], base_url: str = "https://api.eu.flatfile.com/v1"
) -> tuple[str | None, tuple[str, ...]]:
    config = from_environment({"FLATFILE_ACCESS_TOKEN": "pat", "FLATFILE_BASE_URL": base_url, **env})
    proxy = config.accounts[0].proxy
    return None if proxy is None else proxy.reveal(), config.warnings


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, None),
        (PROXY, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "", **PROXY}, None),
        ({"https_proxy": "http://small:1", **PROXY}, "http://small:1"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTP_PROXY": "socks5://proxy:3128"}, None),
        ({"ALL_PROXY": "https://user:word@proxy"}, "https://user:word@proxy"),
        ({"ALL_PROXY": "socks5h://all:1", **PROXY}, "http://proxy:3128"),
    ],
)
def test_only_the_proxy_for_the_scheme_counts(env: dict[str, str], proxy: str | None) -> None:
    assert chosen(env) == (proxy, ())


@pytest.mark.parametrize("text", ["socks5://u:hunter2@proxy:1", "ftp://hunter2@proxy", "http://u:hunter2@proxy:99999"])
def test_a_proxy_that_cannot_be_used_is_left_out_and_the_next_counts(text: str) -> None:
    proxy, (warning,) = chosen({"HTTPS_PROXY": text, "ALL_PROXY": "http://all:1"})
    assert proxy == "http://all:1"
    assert warning.startswith("HTTPS_PROXY ")
    assert "hunter2" not in warning


@pytest.mark.parametrize(
    ("no_proxy", "excluded"),
    [
        ("*", True),
        ("api.eu.flatfile.com", True),
        ("eu.flatfile.com", True),
        (".flatfile.com", True),
        ("*.flatfile.com", True),
        ("FLATFILE.com.", True),
        ("api.eu.flatfile.com:443", True),
        ("api.eu.flatfile.com:8443", False),
        ("https://api.eu.flatfile.com", True),
        ("http://api.eu.flatfile.com", False),
        ("latfile.com", False),
        ("pi.eu.flatfile.com", False),
        ("localhost,[::1]", False),
        ("10.0.0.0/8,fd00::/8", False),
        ("10.0.0.0/8, localhost\tflatfile.com", True),
    ],
)
def test_hosts_without_a_proxy(no_proxy: str, excluded: bool) -> None:
    assert chosen({**PROXY, "NO_PROXY": no_proxy}) == (None if excluded else "http://proxy:3128", ())


@pytest.mark.parametrize(
    ("base_url", "no_proxy", "excluded"),
    [
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://[fd00::5]", "fd00::/8", True),
        ("https://[fd00::5]", "[fd00::5]", True),
        ("https://[fd00::5]:8443", "[fd00::5]:8443", True),
        ("https://[fd00::5]", "fd00::5", True),
        ("https://[fe00::5]", "fd00::/8", False),
    ],
)
def test_addresses_and_networks_without_a_proxy(base_url: str, no_proxy: str, excluded: bool) -> None:
    assert chosen({**PROXY, "NO_PROXY": no_proxy}, base_url) == (None if excluded else "http://proxy:3128", ())


def test_entries_that_cannot_be_read_are_skipped_and_named() -> None:
    proxy, warnings = chosen({**PROXY, "NO_PROXY": "[::1,a:b,-x,flatfile.com"})
    assert proxy is None
    assert warnings == tuple(
        f"NO_PROXY: '{entry}' is no host, domain or network: it is not used" for entry in ("[::1", "a:b", "-x")
    )


def test_this_machine_is_reached_directly_over_http() -> None:
    assert chosen({"HTTP_PROXY": "http://proxy:3128"}, "http://127.0.0.1:8080") == (None, ())


def test_an_accounts_own_proxy_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts:\n"
        "  - {name: own, auth: {access_token: t}, requests: {proxy_url: 'http://own:1'}}\n"
        "  - {name: other, auth: {access_token: t}}\n"
    )
    path.chmod(0o600)
    config = load(path, {**PROXY, "NO_PROXY": "nowhere,[x"})
    proxies = [account.proxy.reveal() for account in config.accounts if account.proxy]
    assert proxies == ["http://own:1", "http://proxy:3128"]
    assert len(config.warnings) == 1
