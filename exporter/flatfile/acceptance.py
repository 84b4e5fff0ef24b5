"""Which endpoints answer, and which refuse a token that others accept."""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.core.secret import Secret
from exporter.flatfile.endpoints import Endpoint

KEEP_REFUSED = 300.0  # seconds without another token for an endpoint that refused a new one


@dataclass(slots=True)
class Refused:
    """A token that an endpoint refused: since when, and until when no other one is fetched for it (monotonic seconds)."""

    token: Secret
    at: float
    keep_until: float = 0.0


class Acceptance:
    """What is known of the endpoints of one account."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._refused: dict[Endpoint, Refused] = {}
        self._answered: dict[Endpoint, float] = {}  # when the last request that was answered with 2xx was sent
        self._accepted: tuple[Secret, float] | None = None  # the same, of any endpoint, with the token

    def note_answered(self, endpoint: Endpoint, token: Secret, sent: float) -> None:
        """Note a 2xx to a request that was sent at `sent` (monotonic seconds)."""
        self._answered[endpoint], self._accepted = sent, (token, sent)

    def note_refused(self, endpoint: Endpoint, token: Secret, *, is_new: bool = False) -> Refused:
        """Note a 401. A token that `is_new` shows that a further one does not help for a while."""
        refused = self._refused.get(endpoint)
        if refused is None or refused.token != token:
            refused = self._refused[endpoint] = Refused(token, self._monotonic())
        if is_new:
            refused.keep_until = self._monotonic() + KEEP_REFUSED
        return refused

    def is_accepted_elsewhere(self, refused: Refused) -> bool:
        """Whether another endpoint has accepted the token since; if not, nothing is known of it any more."""
        if self._accepted is not None and self._accepted[0] == refused.token and self._accepted[1] > refused.at:
            return True
        self._accepted = None
        return False

    @property
    def is_token_accepted(self) -> bool:
        """Whether an endpoint has accepted a token, and none has refused it since."""
        if self._accepted is None:
            return False
        token, at = self._accepted
        return not any(refused.token == token and refused.at >= at for refused in self._refused.values())

    def answered_since(self, at: float, besides: str) -> bool:
        """Whether any endpoint but `besides` answered a request with 2xx that was sent at `at` or later."""
        return any(sent >= at for endpoint, sent in self._answered.items() if str(endpoint) != besides)
