"""How long ids and texts of the API may be. Longer ones would fill the memory: they are kept in many places."""

MAX_ID = 500  # characters: Flatfile's have about 20
MAX_TEXT = 1000  # characters of a name or topic that are kept; a label value shows 200


def cut(text: str) -> str:
    """Return as much of a text as is kept."""
    return text[:MAX_TEXT]
