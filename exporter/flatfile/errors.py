"""Errors of the API, each with the `reason` that metrics and logs use.

FlatfileError
├── Unauthorized      the credentials or the token were refused
├── Forbidden         403, or 401 from one endpoint while others take the token
├── NotFound          404
├── RateLimited       429, 403 with Retry-After, or the account is still paused by one
├── Timeout           no complete answer in time, or 408
├── ConnectionFailed  no connection, or it broke
├── ServerError       5xx
├── BadResponse       an answer that cannot be used: another status, not JSON, wrong shape, a list that breaks off
└── TooLarge          more bytes, pages or rows than allowed
"""

from typing import ClassVar, Literal, get_args

Reason = Literal[
    "unauthorized",
    "forbidden",
    "not_found",
    "rate_limited",
    "timeout",
    "connection",
    "server_error",
    "bad_response",
    "too_large",
    "internal",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
ADVICE: dict[Reason, str] = {
    "unauthorized": "Check the credentials, and whether their file can be read.",
    "forbidden": "The credentials do not allow this.",
    "not_found": "Check base_url.",
    "rate_limited": "Flatfile limits the number of requests: lower requests.per_second, or raise the intervals.",
    "timeout": "Flatfile is slow or cannot be reached: check the network, or raise requests.timeout.",
    "connection": "Check base_url, DNS, proxy and network.",
    "server_error": "The error is Flatfile's own.",
    "bad_response": "Check base_url, and whether a proxy answers instead of Flatfile.",
    "too_large": "Raise requests.max_response_bytes or requests.max_pages.",
    "internal": "This is a bug of the exporter: the log has the details.",
}
"""What the user can check or do, as sentences, by reason."""
UNKNOWN_CREDENTIALS = 404
"""Also the status of a path that does not exist: with it, a wrong base_url looks like refused credentials."""


def advice(reason: Reason, status: int | None = None) -> str:
    """Return what the user can check or do about an error, as a sentence."""
    if reason == "unauthorized" and status == UNKNOWN_CREDENTIALS:
        return "Check base_url, then the credentials."
    return ADVICE[reason]


class FlatfileError(Exception):
    """A request, or a list of them, that failed.

    The text is safe to log and to show: it never holds a credential, a token, or a body. `status` is the HTTP status
    where one came; `attempt` says which try this was; `retry_at` (loop time) is when asking again makes sense.
    """

    reason: ClassVar[Reason] = "internal"

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        status: int | None = None,
        attempt: int = 1,
        retry_at: float | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.status = status
        self.attempt = attempt
        self.retry_at = retry_at

    @property
    def is_request_rejected(self) -> bool:
        """Whether the server rejects this form of request: the same data may be available by another one.

        Refused credentials are no such thing, whatever the status: the API may answer 400, 403 or 404 to them.
        """
        return self.status in (400, 401, 403, 404, 405, 422) and not isinstance(self, (Unauthorized, RateLimited))


class Unauthorized(FlatfileError):
    reason = "unauthorized"


class Forbidden(FlatfileError):
    reason = "forbidden"


class NotFound(FlatfileError):
    reason = "not_found"


class RateLimited(FlatfileError):
    reason = "rate_limited"


class Timeout(FlatfileError):
    reason = "timeout"


class ConnectionFailed(FlatfileError):
    reason = "connection"


class ServerError(FlatfileError):
    reason = "server_error"


class BadResponse(FlatfileError):
    reason = "bad_response"


class TooLarge(FlatfileError):
    reason = "too_large"
