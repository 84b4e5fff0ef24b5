"""What a legal configuration file means: defaults, accounts over the top level, URLs, warnings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from exporter.config import (
    AccountConfig,
    CollectorConfig,
    Config,
    ConfigError,
    EnvironmentsConfig,
    ExpectedAgents,
    Globs,
    load,
    parse,
)
from exporter.core.secret import Secret

LEAST = "accounts: [{name: acme, auth: {access_token: t0ken}}]\n"


def account(text: str) -> AccountConfig:
    """The one account of a file that has `text` beside the least."""
    return parse(LEAST + text, "config.yaml").accounts[0]


def with_keys(text: str) -> AccountConfig:
    """The one account of a file where the account has these keys."""
    return parse(f"accounts: [{{name: acme, auth: {{access_token: t0ken}}, {text}}}]\n", "config.yaml").accounts[0]


def test_the_least_configuration_has_the_documented_defaults() -> None:
    config = parse(LEAST, "config.yaml")
    assert config.warnings == ()
    (acme,) = config.accounts
    assert acme.name == "acme"
    assert acme.base_url == "https://platform.flatfile.com/v1"
    assert acme.auth.access_token == Secret("t0ken")
    assert (acme.auth.client_id, acme.auth.client_secret, acme.auth.access_token_file) == (None, None, None)
    assert acme.environments == EnvironmentsConfig(("*",), (), ids=(), max_series=1000)
    assert acme.expected_agents == ()
    assert {name: (each.enabled, each.interval, each.max_age) for name, each in acme.collectors.items()} == {
        "environments": (True, 60, 900),
        "spaces": (True, 60, 900),
        "agents": (True, 300, 900),
        "executions": (True, 30, 900),
        "events": (True, 0, 900),
        "users": (True, 300, 900),
        "guests": (True, 300, 900),
        "jobs": (True, 60, 900),
    }
    assert acme.spaces.inactive_after == (30 * 86_400, 90 * 86_400)
    assert (acme.spaces.full_resync, acme.spaces.per_space, acme.spaces.max_series) == (3600, False, 1000)
    assert acme.agents.max_series == 5000
    assert (acme.events.window, acme.events.overlap, acme.events.max_topics) == (300, 60, 200)
    assert acme.events.topics == Globs(("*",), ())
    assert (acme.jobs.window, acme.guests.full_resync) == (86_400, 21_600)
    requests = acme.requests
    assert (requests.concurrency, requests.per_second, requests.timeout, requests.retries) == (4, 10, 10, 3)
    assert (requests.max_response_bytes, requests.max_pages, requests.max_rows) == (64 * 2**20, 10_000, 2_000_000)
    assert requests.proxy_url is None
    assert (requests.tls.ca_file, requests.tls.insecure_skip_verify) == (None, False)


def test_an_accounts_key_replaces_that_of_the_top_level_and_no_other() -> None:
    text = """
accounts:
  - name: one
    auth: {access_token: a}
    requests: {timeout: 3s, proxy_url: null, tls: {insecure_skip_verify: false}}
    collectors: {spaces: {enabled: false}}
    spaces: {inactive_after: [7d]}
  - name: two
    auth: {access_token: b}
requests: {timeout: 20s, retries: 5, proxy_url: "http://me:hunter2@proxy:3128", tls: {insecure_skip_verify: true}}
collectors: {spaces: {interval: 2m}}
spaces: {inactive_after: [1d, 2d], max_series: 5}
"""
    one, two = parse(text, "config.yaml").accounts
    assert (one.requests.timeout, two.requests.timeout) == (3, 20)
    assert (one.requests.retries, two.requests.retries) == (5, 5)
    assert (one.requests.proxy_url, two.requests.proxy_url) == (None, Secret("http://me:hunter2@proxy:3128"))
    assert (one.requests.tls.insecure_skip_verify, two.requests.tls.insecure_skip_verify) == (False, True)
    assert one.collectors["spaces"] == CollectorConfig(False, 120, 900)
    assert two.collectors["spaces"] == CollectorConfig(True, 120, 900)
    assert (one.spaces.inactive_after, one.spaces.max_series) == ((7 * 86_400,), 5)
    assert (two.spaces.inactive_after, two.spaces.max_series) == ((86_400, 2 * 86_400), 5)
    assert "hunter2" not in repr((one, two))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("interval: 1h", CollectorConfig(True, 3600, 3 * 3600)),
        ("interval: 5m", CollectorConfig(True, 300, 900)),
        ("interval: 0", CollectorConfig(True, 0, 900)),
        ("interval: 1m, max_age: 3m", CollectorConfig(True, 60, 180)),
        ("interval: 0s, max_age: 1s", CollectorConfig(True, 0, 1)),
        ("max_age: 2w", CollectorConfig(True, 60, 14 * 86_400)),
    ],
)
def test_max_age_is_at_least_three_intervals(keys: str, expected: CollectorConfig) -> None:
    assert account(f"collectors: {{spaces: {{{keys}}}}}").collectors["spaces"] == expected


def test_an_accounts_interval_can_make_the_max_age_of_the_top_level_right() -> None:
    text = "accounts: [{name: a, auth: {access_token: t}, collectors: {spaces: {interval: 10s}}}]\n"
    spaces = (
        parse(text + "collectors: {spaces: {interval: 1h, max_age: 1m}}", "config.yaml")
        .accounts[0]
        .collectors["spaces"]
    )
    assert spaces == CollectorConfig(True, 10, 60)


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://platform.flatfile.com/v1", "https://platform.flatfile.com/v1"),
        ("https://platform.flatfile.com/v1//", "https://platform.flatfile.com/v1"),
        ("https://platform.flatfile.com/api/v1/", "https://platform.flatfile.com/api/v1"),
        ("platform.flatfile.com", "https://platform.flatfile.com/api/v1"),
        ("PLATFORM.eu.flatfile.com/", "https://platform.eu.flatfile.com/api/v1"),
        ("https://platform.eu.flatfile.com/api", "https://platform.eu.flatfile.com/api/v1"),
        ("api.x.flatfile.com", "https://api.x.flatfile.com/v1"),
        ("https://gateway.example:8443/flatfile", "https://gateway.example:8443/flatfile/v1"),
        ("http://localhost:8080", "http://localhost:8080/v1"),
        ("http://127.0.0.9:8080/v1", "http://127.0.0.9:8080/v1"),
        ("'http://[::1]:8080'", "http://[::1]:8080/v1"),
        ("https://flatfile_mock/v2/v1", "https://flatfile_mock/v2/v1"),
    ],
)
def test_base_urls_are_normalised(written: str, used: str) -> None:
    assert with_keys(f"base_url: {written}").base_url == used


@pytest.mark.parametrize("host", ["flatfile.internal", "localhost.example", "128.0.0.1", "0.0.0.0", "[::2]"])
def test_plain_http_leaves_the_machine_only_when_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        with_keys(f'base_url: "http://{host}"')
    assert with_keys(f'base_url: "http://{host}", allow_http: true').base_url == f"http://{host}/v1"


def test_environments_topics_and_expected_agents() -> None:
    acme = with_keys(
        "environments: {include: ['prod-*', us_env_1], exclude: [prod-old], ids: [us_env_1, us_env_2], max_series: 5},"
        " events: {include: ['job:*'], exclude: []},"
        "expected_agents: [{environment: production, agents: [importer, 'validate-*'], min: 3}, {environment: '*', min: 1}]"
    )
    assert acme.environments == EnvironmentsConfig(
        ("prod-*", "us_env_1"), ("prod-old",), ids=("us_env_1", "us_env_2"), max_series=5
    )
    assert acme.events.topics == Globs(("job:*",), ())
    assert acme.expected_agents == (
        ExpectedAgents("production", ("importer", "validate-*"), 3),
        ExpectedAgents("*", (), 1),
    )


@pytest.mark.parametrize(
    ("values", "matches"),
    [
        (("prod-eu", "us_env_2"), True),
        (("test", "us_env_1"), True),
        (("Prod-eu", "us_env_2"), False),
        (("prod-old", "us_env_1"), False),
        (("prod-eu", "us_env_bad"), False),
        ((), False),
    ],
)
def test_globs_match_any_include_and_no_exclude(values: tuple[str, ...], matches: bool) -> None:
    assert Globs(("prod-*", "us_env_1"), ("prod-old", "*_bad")).match(*values) is matches


def test_aliases_sections_left_empty_and_yes_are_understood() -> None:
    text = """
accounts:
  - name: one
    auth: &auth {client_id: a, client_secret: b}
    events:
    environments: ~
    expected_agents:
  - name: two
    auth: *auth
collectors:
  spaces: &slow {interval: 10m}
  guests: *slow
  users: {enabled: off}
requests: {tls: {insecure_skip_verify: yes}}
"""
    one, two = parse(text, "config.yaml").accounts
    assert one.auth == two.auth
    assert one.collectors["guests"].interval == one.collectors["spaces"].interval == 600
    assert one.collectors["users"].enabled is False
    assert one.requests.tls.insecure_skip_verify is True


def test_paths_start_from_the_directory_of_the_file(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts: [{name: a, auth: {client_id_file: id, client_secret_file: /abs/secret}}]\n"
        "requests: {tls: {ca_file: ca.pem}}",
        encoding="utf-8",
    )
    (acme,) = load(path).accounts
    assert acme.auth.client_id_file == tmp_path / "id"
    assert acme.auth.client_secret_file == Path("/abs/secret")
    assert acme.requests.tls.ca_file == ca


def test_an_account_that_did_not_change_is_equal_and_one_that_did_is_not() -> None:
    text = "accounts: [{name: a, auth: {client_id: x, client_secret: y}}, {name: b, auth: {access_token: z}}]"
    before = parse(text, "config.yaml")
    assert parse("# a comment\n" + text.replace("}, {", "},\n  {"), "config.yaml") == before
    after = parse(text.replace("secret: y", "secret: other"), "config.yaml")
    assert after.accounts[0] != before.accounts[0]
    assert after.accounts[1] == before.accounts[1]
    assert hash(after.accounts[1]) == hash(before.accounts[1])
    slower = parse(text + "\ncollectors: {users: {interval: 6m}}", "config.yaml")
    assert slower.accounts[1] != before.accounts[1]


def test_nothing_in_a_configuration_can_be_assigned() -> None:
    acme = account("")
    with pytest.raises(AttributeError):
        acme.name = "other"  # type: ignore[misc]  # that it fails is the test
    with pytest.raises(TypeError):
        acme.collectors["spaces"] = CollectorConfig(False, 0, 0)  # type: ignore[index]


# Warnings


def warnings(text: str) -> tuple[str, ...]:
    return parse(text, "config.yaml").warnings


def test_without_the_environments_nothing_else_can_be_asked() -> None:
    text = LEAST + "collectors: {environments: {enabled: false}}"
    assert warnings(text) == (
        "config.yaml:2:38: collectors.environments.enabled: all other collectors depend on the list of environments",
    )


def test_globs_that_match_no_known_topic_are_named() -> None:
    text = LEAST + 'events: {include: ["job:*", "jobs:*", job:faild, "brew:*"], exclude: ["sapce:*", "*:deleted"]}'
    assert warnings(text) == (
        "config.yaml:2:19: events.include: 'brew:*' matches no topic that is known to this version",
        "config.yaml:2:19: events.include: 'job:faild' matches no topic that is known to this version; "
        "did you mean 'job:failed'?",
        "config.yaml:2:19: events.include: 'jobs:*' matches no topic that is known to this version; "
        "did you mean 'job:*'?",
        "config.yaml:2:70: events.exclude: 'sapce:*' matches no topic that is known to this version; "
        "did you mean 'space:*'?",
    )


@pytest.fixture
def secret_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "secret"
    path.write_text("hunter2\n", encoding="utf-8")
    path.chmod(0o600)
    yield path
    path.chmod(0o600)


def file_warnings(key: str, path: Path) -> tuple[str, ...]:
    other = "client_secret: x" if key == "client_id_file" else "client_id: x"
    keys = f"{key}: {path}" if key == "access_token_file" else f"{key}: {path}, {other}"
    return warnings(f"accounts: [{{name: acme, auth: {{{keys}}}}}]")


@pytest.mark.parametrize("key", ["client_secret_file", "access_token_file"])
def test_a_secret_that_everybody_can_read_is_worth_a_warning(key: str, secret_file: Path) -> None:
    assert file_warnings(key, secret_file) == ()
    secret_file.chmod(0o644)
    (warning,) = file_warnings(key, secret_file)
    assert warning.startswith("config.yaml:1:")
    assert f"accounts[0].auth.{key}: the file is readable by every user of this machine" in warning


def test_a_client_id_is_no_secret(secret_file: Path) -> None:
    secret_file.chmod(0o644)
    assert file_warnings("client_id_file", secret_file) == ()


def test_a_secret_that_is_not_there_yet_is_worth_a_warning(tmp_path: Path) -> None:
    (warning,) = file_warnings("client_secret_file", tmp_path / "later")
    assert "no such file or directory; the file is read whenever a token is needed" in warning


def test_a_config_is_what_parse_gives() -> None:
    assert isinstance(parse(LEAST, "config.yaml"), Config)
