"""The forms in which lists can be requested, and what the server was found to take. Pure."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, TooLarge, Unauthorized

REFUSALS = (400, 422)  # of a parameter
REMEMBERED = 3600.0  # seconds for which a form that the server took is used, before the usual one is tried again
MIN_PAGE_SIZE = 10  # the server's own default for most lists: smaller cannot be what a 400 asks for


@dataclass(frozen=True, slots=True)
class Form:
    """How the pages of a list are requested. Not `paged`: without a size and a number."""

    size: int
    sort: bool
    paged: bool


class Forms:
    """Remembers forms by endpoint, and queries that are refused in any form, for an hour."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._learned: dict[Endpoint, tuple[Form, float]] = {}  # and until when
        self._refused: dict[Hashable, float] = {}  # until when

    def best(self, endpoint: Endpoint, usual: Form) -> Form:
        """Return the form for a list that is usually requested in the form `usual`."""
        learned, until = self._learned.get(endpoint, (usual, 0.0))
        if self._monotonic() >= until:
            return usual
        return Form(min(usual.size, learned.size), sort=usual.sort and learned.sort, paged=learned.paged)

    def learn(self, endpoint: Endpoint, form: Form) -> None:
        """Use this form from now on."""
        self._learned[endpoint] = form, self._monotonic() + REMEMBERED

    def is_refused(self, query: Hashable) -> bool:
        return self._monotonic() < self._refused.get(query, 0.0)

    def note_refused(self, query: Hashable) -> None:
        """Remember that a query was refused in every form."""
        self._refused[query] = self._monotonic() + REMEMBERED

    def note_answered(self, query: Hashable) -> None:
        """Forget a refusal."""
        self._refused.pop(query, None)


def is_about_form(error: FlatfileError, endpoint: Endpoint) -> bool:
    """Whether an error may be caused by the form: a parameter was refused, or one page (not the whole list) is too large."""
    if error.endpoint != str(endpoint) or isinstance(error, Unauthorized):
        return False
    return error.status in REFUSALS or (isinstance(error, TooLarge) and error.status is not None)


def other_form(form: Form, error: FlatfileError, endpoint: Endpoint) -> Form | None:
    """Return another form to try after an error; `None` where that does not help."""
    if not is_about_form(error, endpoint):
        return None
    if isinstance(error, TooLarge):
        return replace(form, size=form.size // 2) if form.paged and form.size > 1 else None
    if form.sort:
        return replace(form, sort=False)
    if form.paged and form.size > MIN_PAGE_SIZE:
        return replace(form, size=max(MIN_PAGE_SIZE, form.size // 2))
    return replace(form, paged=False) if form.paged else None
