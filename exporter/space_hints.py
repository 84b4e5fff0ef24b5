"""Which spaces events have named of late, because something that is counted changed in them. Pure."""

SPACE_TOPICS = frozenset(
    {
        *(f"space:{what}" for what in ("created", "updated", "deleted", "archived", "unarchived", "expired")),
        *(f"file:{what}" for what in ("created", "deleted", "expired")),
        *(f"workbook:{what}" for what in ("created", "deleted", "expired", "thawed")),
    }
)
MOST = 1000  # spaces that are remembered: with more, other signs must do


class SpaceHints:
    """Spaces to look at, with the environment that the event was in (an empty text: it named none)."""

    def __init__(self) -> None:
        self._spaces: dict[str, str] = {}

    def note(self, topic: str, space: str | None, environment: str) -> None:
        """An event of this topic was seen."""
        if space and topic in SPACE_TOPICS and len(self._spaces) < MOST:
            self._spaces[space] = environment

    def take(self, environment: str | None = None) -> dict[str, str]:
        """Give the spaces, of one environment if named, and forget them."""
        taken = {space: of for space, of in self._spaces.items() if environment in (None, of)}
        for space in taken:
            del self._spaces[space]
        return taken

    def put_back(self, spaces: dict[str, str]) -> None:
        """These could not be looked at."""
        self._spaces = {**spaces, **self._spaces}
