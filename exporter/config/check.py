"""The checks that need more than one key, or a look at the files that the configuration names."""

from collections.abc import Callable, Collection
from pathlib import Path

from exporter.config.files import check_ca_file, warn_about_file
from exporter.config.keys import COLLECTOR_INTERVALS, MAX_AGE_INTERVALS
from exporter.config.problems import Place, Problems
from exporter.config.reader import Block
from exporter.config.settings import Settings
from exporter.config.url import is_plain_http_to_elsewhere
from exporter.config.values import shown
from exporter.core.units import format_duration

AUTH_VALUES = ("client_id", "client_secret", "access_token")


def check(root: Block, problems: Problems, directory: Path) -> None:
    """Adds the problems and warnings that show between keys, or in the files that they name."""
    named: dict[str, Place] = {}
    for account in root.lists.get("accounts", []):
        settings = Settings(root, account)
        _check_name(account, named, problems)
        _check_http(settings, account, problems)
        _check_auth(account, problems)
        _check_ages(settings, problems)
        _check_expected_agents(account, problems)
        _check_files(settings, problems, directory)
        switch = settings.written("collectors.environments.enabled")
        if switch is not None and switch.value is False:
            problems.warn(switch.place, "every other collector needs the list of environments")


def credential_problems(given: Collection[str], called: Callable[[str], str]) -> list[str]:
    """What is wrong with a choice of `client_id`, `client_id_file` and so on; `called` gives the name to show."""
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
        problems.append(f"{called(there)} needs {called(lacks)} (or {called(lacks + '_file')}) beside it")
    return problems


def _check_name(account: Block, named: dict[str, Place], problems: Problems) -> None:
    setting = account.settings.get("name")
    if setting is None:
        return
    first = named.setdefault(str(setting.value), setting.place)
    if first is not setting.place:
        problems.add(
            setting.place, f"the name {shown(str(setting.value))} is already that of {first.path} (line {first.line})"
        )


def _check_http(settings: Settings, account: Block, problems: Problems) -> None:
    url = account.settings.get("base_url")
    if url is None or settings.is_broken("allow_http") or settings.get("allow_http", bool):
        return
    if is_plain_http_to_elsewhere(str(url.value)):
        problems.add(
            url.place,
            "http:// would send the credentials in the clear: use https://, or set allow_http: true for this account",
        )


def _check_auth(account: Block, problems: Problems) -> None:
    if "auth" in account.broken or any(path.startswith("auth.") for path in account.broken):
        return
    given = {path.removeprefix("auth.") for path in account.settings if path.startswith("auth.")}
    place = account.places.get("auth", account.place)
    for problem in credential_problems(given, str):
        problems.add(Place(place.line, place.column, account.place.below("auth")), problem)


def _check_ages(settings: Settings, problems: Problems) -> None:
    for name in COLLECTOR_INTERVALS:
        max_age = settings.written(f"collectors.{name}.max_age")
        if max_age is None or settings.is_broken(f"collectors.{name}.max_age"):
            continue
        if settings.is_broken(f"collectors.{name}.interval"):
            continue
        age, interval = settings.seconds(f"collectors.{name}.max_age"), settings.seconds(f"collectors.{name}.interval")
        if age < MAX_AGE_INTERVALS * interval:
            problems.add(
                max_age.place,
                f"{format_duration(age)} is less than {MAX_AGE_INTERVALS} times the interval of "
                f"{format_duration(interval)}: write at least {format_duration(MAX_AGE_INTERVALS * interval)}",
            )


def _check_expected_agents(account: Block, problems: Problems) -> None:
    first: dict[str, Place] = {}
    for block in account.lists.get("expected_agents", []):
        if not block.broken and not block.settings.get("min") and not block.settings.get("agents"):
            problems.add(block.place, "expects nothing: give agents, min, or both")
        setting = block.settings.get("environment")
        if setting is None:
            continue
        known = first.setdefault(str(setting.value), block.place)
        if known is not block.place:
            problems.add(setting.place, f"{known.path} (line {known.line}) has this environment: join the two entries")


def _check_files(settings: Settings, problems: Problems, directory: Path) -> None:
    for name in AUTH_VALUES:
        setting = settings.written(f"auth.{name}_file")
        if setting is not None and isinstance(setting.value, Path):
            confidential = name != "client_id"
            for warning in warn_about_file(directory / setting.value, confidential):
                problems.warn(setting.place, warning)
    setting = settings.written("requests.tls.ca_file")
    if setting is not None and isinstance(setting.value, Path):
        problem = check_ca_file(directory / setting.value)
        if problem is not None:
            problems.add(setting.place, problem)
