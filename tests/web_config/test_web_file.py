"""The configuration in force: when files are read again, and what a wrong one does."""

import logging
import time
from pathlib import Path

import pytest

from exporter.config import Config, ConfigError
from exporter.web_config import WebFile, both, load_web
from exporter.web_config.web_file import Loaded

from .rig import Certificates, authority, hash_of, rsa_key, users

CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
SANS = f"{CLIENTS}, client_allowed_sans: [a]"


class Reads:
    """Counts how often a file is read."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, path: Path) -> Loaded:
        self.number += 1
        return load_web(path)


def long_after() -> float:
    return time.time() + 3600


def problem(log: pytest.LogCaptureFixture) -> str:
    """What was logged of the last problem."""
    errors = [record for record in log.records if record.levelno == logging.ERROR]
    fields = vars(errors[-1])["fields"]
    return f"{errors[-1].getMessage()}: {fields['error']}"


def test_nothing_is_read_while_nothing_changes(files: Certificates) -> None:
    reads = Reads()
    file = WebFile(files.write(files.tls() + users()), long_after, reads)
    for _ in range(3):
        file.rules()
        file.context()
    assert reads.number == 2  # once to learn what it names, and once more with an eye on that
    files.new_server_certificate()
    for _ in range(3):
        file.context()
    assert reads.number == 3


def test_a_file_that_is_young_is_not_relied_upon(files: Certificates) -> None:
    """It could be written again within the same tick of the file system's clock."""
    reads = Reads()
    file = WebFile(files.write(users()), lambda: files.web.stat().st_ctime, reads)
    for _ in range(3):
        file.rules()
    assert reads.number == 4


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt", "web.yml"])
def test_every_file_is_watched(name: str, files: Certificates) -> None:
    reads = Reads()
    file = WebFile(files.write(files.tls(CLIENTS)), long_after, reads)
    file.rules()
    before = reads.number
    files.replace(name, (files.directory / name).read_bytes())
    file.rules()
    file.rules()
    assert reads.number == before + 1


def test_the_same_again_changes_nothing(files: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = WebFile(files.write(files.tls() + users()))
    context, rules = file.context(), file.rules()
    files.write(files.web.read_text())
    assert file.context() is context
    assert file.rules() is rules
    assert not [record for record in caplog.records if "loaded" in record.getMessage()]


def test_a_change_is_taken_and_said(files: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = WebFile(files.write(files.tls()))
    context = file.context()
    files.write(files.tls("min_version: TLS13") + users("one", "two"))
    rules = file.rules()
    assert rules is not None
    assert list(rules.users) == [b"one", b"two"]
    assert file.context() is not context
    (record,) = [record for record in caplog.records if "loaded" in record.getMessage()]
    assert vars(record)["fields"]["summary"] == "TLS, 2 users"


def test_another_certificate_is_another_context(files: Certificates) -> None:
    file = WebFile(files.write(files.tls()), long_after)
    context = file.context()
    files.new_server_certificate()
    assert file.context() is not context


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (users(), "", "basic_auth_users was removed: restart the exporter to open access"),
        (users(), "rate_limit: {}\n", "basic_auth_users was removed"),
        ("TLS", "{}\n", "tls_server_config was removed: restart the exporter to turn TLS off"),
        ("{}\n", "TLS", "tls_server_config was added: restart the exporter to turn TLS on"),
        ("TLS with clients", "TLS", "tls_server_config.client_auth_type was removed"),
        ("TLS with names", "TLS with clients", "tls_server_config.client_allowed_sans was removed"),
        (users(), "basic_auth_users: {a: b}\n", "must be a bcrypt hash"),
        (users(), "TLS with no file", "no such file or directory"),
    ],
)
def test_what_would_open_a_door_shuts_it(
    before: str, after: str, said: str, files: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    texts = {
        "TLS": files.tls(),
        "TLS with clients": files.tls(CLIENTS),
        "TLS with names": files.tls(SANS),
        "TLS with no file": files.tls().replace("server.crt", "none.crt"),
    }
    file = WebFile(files.write(texts.get(before, before)))
    assert file.rules() is not None
    files.write(texts.get(after, after))
    assert [file.rules() for _ in range(3)] == [None] * 3
    assert said in problem(caplog)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    with pytest.raises(ConfigError, match=said.split(":")[0].replace("$", "")):
        file.check()
    files.write(texts.get(before, before))
    assert file.rules() is not None
    file.check()


def test_locks_that_came_later_hold_too(files: Certificates) -> None:
    file = WebFile(files.write("{}\n"))
    assert file.rules() is not None
    files.write(users())
    assert file.rules() is not None
    files.write("{}\n")
    assert file.rules() is None


def test_handshakes_go_on_with_the_last_context_that_was_right(files: Certificates) -> None:
    file = WebFile(files.write(files.tls(CLIENTS)))
    context = file.context()
    files.write("[\n")
    assert file.context() is context
    assert file.rules() is None


def test_in_the_middle_of_a_renewal_the_certificate_before_stays(
    files: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    file = WebFile(files.write(files.tls(CLIENTS)))
    context = file.context()
    issued = authority("ours").issue_cert("localhost")
    files.replace("server.crt", issued.cert_chain_pems[0].bytes())
    assert file.context() is context
    assert file.rules() is not None
    assert problem(caplog).startswith("web configuration rejected: the previous certificate stays: ")
    files.replace("server.key", issued.private_key_pem.bytes())
    assert file.context() is not context
    assert file.rules() is not None


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
def test_a_certificate_that_went_away(name: str, files: Certificates) -> None:
    file = WebFile(files.write(files.tls()))
    context = file.context()
    (files.directory / name).unlink()
    assert file.context() is context
    assert file.rules() is not None


def test_what_changes_along_with_a_broken_certificate_is_not_ignored(files: Certificates) -> None:
    """Whose certificates to trust was changed in the same moment: the old answer to that must not hold on."""
    file = WebFile(files.write(files.tls(CLIENTS)))
    assert file.rules() is not None
    files.replace("server.key", rsa_key())
    assert file.rules() is not None
    files.replace("ca.crt", authority("theirs").cert_pem.bytes())
    assert file.rules() is None
    files.new_server_certificate()
    assert file.rules() is not None
    files.replace("server.key", rsa_key())
    files.write(files.tls(CLIENTS + ", min_version: TLS13"))
    assert file.rules() is None


def test_authorities_that_went_away(files: Certificates) -> None:
    file = WebFile(files.write(files.tls(CLIENTS)), long_after)
    assert file.rules() is not None
    files.ca.unlink()
    assert file.rules() is None
    files.ca.write_bytes(authority("ours").cert_pem.bytes())
    assert file.rules() is not None


def test_a_file_that_a_wrong_configuration_names_is_watched(files: Certificates) -> None:
    file = WebFile(files.write(files.tls()), long_after)
    files.write(files.tls().replace("server.crt", "later.crt"))
    assert file.rules() is None
    assert file.rules() is None
    files.replace("later.crt", (files.directory / "server.crt").read_bytes())
    assert file.rules() is not None


def test_it_does_not_begin_with_a_wrong_file(files: Certificates) -> None:
    with pytest.raises(ConfigError):
        WebFile(files.write("[\n"))


def test_nothing_secret_is_logged(files: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = WebFile(files.write(files.tls() + users()))
    for text in (users(), f"basic_auth_users: {{a: {hash_of()}x}}\n", f"{hash_of()}: 1\n", files.tls() + users("b")):
        files.write(text)
        file.rules()
    said = repr([vars(record) for record in caplog.records]) + repr(file.rules()) + repr(load_web(files.web))
    assert caplog.records
    assert hash_of()[:20] not in said
    assert "PRIVATE" not in said


def test_problems_of_both_configurations_come_together() -> None:
    def wrong(name: str) -> Config:
        raise ConfigError((name,))

    with pytest.raises(ConfigError) as raised:
        both(lambda: wrong("accounts"), lambda: wrong("web"))()
    assert raised.value.problems == ("accounts", "web")
    with pytest.raises(ConfigError, match=r"^web$"):
        both(lambda: Config((), ()), lambda: wrong("web"))()
    with pytest.raises(ConfigError, match=r"^accounts$"):
        both(lambda: wrong("accounts"), lambda: None)()
    assert both(lambda: Config((), ("x",)), lambda: None)() == Config((), ("x",))
