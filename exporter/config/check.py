"""Checks that need more than one key, or the files that the configuration names."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from exporter.config.account import Settings
from exporter.config.files import check_secret_file, read_certificates, reason
from exporter.config.problems import Place, Problems
from exporter.config.reader import BROKEN
from exporter.config.schema import Kind
from exporter.config.topics import KNOWN_TOPICS, TOPIC_FAMILIES
from exporter.config.types import COLLECTORS, MAX_AGE_INTERVALS, matches
from exporter.config.url import is_plain_http_to_elsewhere
from exporter.config.values import CLIENT_ID, SECRET, TOKEN, nearest, shown
from exporter.core.units import format_duration

AUTH_VALUES: dict[str, Kind[Any]] = {"client_id": CLIENT_ID, "client_secret": SECRET, "access_token": TOKEN}


def check(accounts: Collection[Settings], problems: Problems) -> None:
    """Add the errors and warnings that concern several keys, or the files that they name."""
    named: dict[str, Place] = {}
    certificates: dict[Path, str] = {}
    for settings in accounts:
        _check_name(settings, named, problems)
        _check_http(settings, problems)
        _check_auth(settings, problems)
        _check_ages(settings, problems)
        _check_expected_agents(settings, problems)
        _check_topics(settings, problems)
        _check_files(settings, certificates, problems)
        switch = settings.written.get("collectors.environments.enabled")
        if switch is not None and switch.value is False:
            problems.warn(switch.place, "all other collectors depend on the list of environments")


def credential_problems(given: Collection[str], called: Callable[[str], str]) -> list[str]:
    """Return the errors in a choice of `client_id`, `client_id_file` and so on; `called` gives the name to show."""
    problems = [
        f"{called(name)} and {called(name + '_file')} are both given: keep one of them"
        for name in AUTH_VALUES
        if name in given and name + "_file" in given
    ]
    has = {name: name in given or name + "_file" in given for name in AUTH_VALUES}
    pair, token = f"{called('client_id')} with {called('client_secret')}", called("access_token")
    if not any(has.values()):
        problems.append(
            f"no credentials: give {pair}, or {token}; each can be in a file ({called('client_secret_file')} and so on)"
        )
    elif has["access_token"] and (has["client_id"] or has["client_secret"]):
        problems.append(f"two kinds of credentials are given: keep either {pair}, or {token}")
    elif not has["access_token"] and not (has["client_id"] and has["client_secret"]):
        there, lacks = ("client_id", "client_secret") if has["client_id"] else ("client_secret", "client_id")
        problems.append(f"{called(there)} requires {called(lacks)} (or {called(lacks + '_file')})")
    return problems


def _check_name(settings: Settings, named: dict[str, Place], problems: Problems) -> None:
    setting = settings.usable("name")
    if setting is None:
        return
    first = named.setdefault(setting.value, setting.place)
    if first is not setting.place:
        problems.add(
            setting.place, f"the name {shown(setting.value)} is already used by {first.path} (line {first.line})"
        )


def _check_http(settings: Settings, problems: Problems) -> None:
    url = settings.usable("base_url")
    if url is not None and settings.get("allow_http") is False and is_plain_http_to_elsewhere(url.value):
        problems.add(
            url.place,
            "http:// would send the credentials in the clear: use https://, or set allow_http: true for this account",
        )


def _check_auth(settings: Settings, problems: Problems) -> None:
    given = {
        path.removeprefix("auth."): setting for path, setting in settings.written.items() if path.startswith("auth.")
    }
    if any(setting.value is BROKEN for setting in given.values()):
        return
    account = settings.account
    place = account.sections.get("auth", account.place)
    for problem in credential_problems(given, str):
        problems.add(Place(place.line, place.column, account.place.below("auth")), problem)


def _check_ages(settings: Settings, problems: Problems) -> None:
    for name in COLLECTORS:
        max_age, interval = settings.usable(f"collectors.{name}.max_age"), settings.get(f"collectors.{name}.interval")
        if max_age is not None and interval is not BROKEN and max_age.value < MAX_AGE_INTERVALS * interval:
            problems.add(
                max_age.place,
                f"{format_duration(max_age.value)} is less than {MAX_AGE_INTERVALS} times the interval of "
                f"{format_duration(interval)}: write at least {format_duration(MAX_AGE_INTERVALS * interval)}",
            )


def _check_expected_agents(settings: Settings, problems: Problems) -> None:
    first: dict[str, Place] = {}
    for block in settings.account.lists.get("expected_agents", []):
        values = {path: setting.value for path, setting in block.settings.items()}
        if (
            BROKEN not in values.values()
            and "environment" in values
            and not (values.get("min") or values.get("agents"))
        ):
            problems.add(block.place, "expects nothing: give agents, min, or both")
        setting = block.settings.get("environment")
        if setting is None or setting.value is BROKEN:
            continue
        known = first.setdefault(setting.value, block.place)
        if known is not block.place:
            problems.add(
                setting.place, f"{known.path} (line {known.line}) already has this environment: merge the two entries"
            )


def _check_topics(settings: Settings, problems: Problems) -> None:
    for path in ("events.include", "events.exclude"):
        setting = settings.usable(path)
        if setting is None:
            continue
        for glob in setting.value:
            if not matches([glob], *KNOWN_TOPICS):
                guess = nearest(glob, [*KNOWN_TOPICS, *(f"{family}:*" for family in TOPIC_FAMILIES)])
                hint = f"; did you mean {shown(guess)}?" if guess else ""
                problems.warn(setting.place, f"{shown(glob)} matches no topic that is known to this version{hint}")


def _check_files(settings: Settings, certificates: dict[Path, str], problems: Problems) -> None:
    for name, kind in AUTH_VALUES.items():
        setting = settings.usable(f"auth.{name}_file")
        if setting is None:
            continue
        try:
            for warning in check_secret_file(setting.value, kind, confidential=kind is not CLIENT_ID):
                problems.warn(setting.place, warning)
        except ValueError as error:
            problems.add(setting.place, str(error))
    setting = settings.written.get("requests.tls.ca_file")
    if setting is None or not isinstance(setting.value, Path):
        return
    try:
        if setting.value not in certificates:
            certificates[setting.value] = read_certificates(setting.value)
        settings.ca_pem = certificates[setting.value]
    except OSError as error:
        problems.add(setting.place, reason(error))
    except ValueError as error:
        problems.add(setting.place, str(error))
