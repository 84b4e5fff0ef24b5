"""Environments about which a list of the whole account is silent: nothing there, or hidden from this token? Pure."""

from collections.abc import Iterable

from exporter.collectors._context import EnvironmentRef


class Silence:
    """Remembers until when an environment's silence is believed, because it has been asked by itself.

    A role that may not read an environment need not be told so by a list of the whole account: its rows may just be left
    out. Asking for the environment alone tells the two apart; that answer is good for `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked_at: dict[str, float] = {}

    def doubtful(self, silent: Iterable[EnvironmentRef], now: float) -> list[EnvironmentRef]:
        """Those that must be asked by themselves. All times are unix seconds by our clock."""
        since = now - self._seconds
        self._asked_at = {environment: at for environment, at in self._asked_at.items() if at > since}
        return [environment for environment in silent if environment.id not in self._asked_at]

    def believe(self, environments: Iterable[str], now: float) -> None:
        """These can be read."""
        self._asked_at.update(dict.fromkeys(environments, now))

    def asked_at(self, environment: str, otherwise: float) -> float:
        """When it was last known that the environment can be read; what follows from its silence is as old as that."""
        return self._asked_at.get(environment, otherwise)

    def forget(self, environments: Iterable[str]) -> None:
        """If one of these falls silent from now on, that means something."""
        for environment in environments:
            self._asked_at.pop(environment, None)
