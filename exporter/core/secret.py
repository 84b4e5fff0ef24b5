"""A credential that no log line, error text, page or dump can show by accident."""

import hmac
from typing import NoReturn, Self

_SHOWN = "<secret>"


class Secret:
    """A text that only `reveal()` gives out.

    `repr`, `str` and every format give `<secret>`. Two secrets are compared in constant time. Pickling is
    refused, copying gives the same object.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: for the place that sends it, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return _SHOWN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # surrogatepass: a Secret may hold any str, and a comparison must not raise
        mine = self._value.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, other._value.encode("utf-8", "surrogatepass"))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: its text would be readable in the result")
