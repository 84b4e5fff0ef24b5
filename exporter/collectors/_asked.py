"""What came of asking for many spaces, one by one."""

from dataclasses import dataclass, field

from exporter.flatfile.errors import FlatfileError, Forbidden, NotFound, Unauthorized

MAX_FAILURES_IN_A_ROW = 3

Space = tuple[str, str]
"""A space's id and its environment's."""


@dataclass(slots=True)
class Asked:
    """What came of asking for spaces. `left` are the environments of those that did not answer."""

    answered: int = 0
    errors: dict[Space, FlatfileError] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    failed_in_a_row: int = 0
    left: set[str] = field(default_factory=set)

    @property
    def gave_up(self) -> bool:
        """Whether nothing more is asked: the API has trouble, not the space."""
        return self.failed_in_a_row >= MAX_FAILURES_IN_A_ROW

    def fail(self, space: str, environment: str, error: FlatfileError) -> None:
        """Note a failure. One that says nothing of other spaces does not count as trouble."""
        self.errors[space, environment] = error
        if isinstance(error, Forbidden):
            self.refused.add(environment)
        elif isinstance(error, Unauthorized):
            self.failed_in_a_row = MAX_FAILURES_IN_A_ROW
        elif not isinstance(error, NotFound):
            self.failed_in_a_row += 1
