"""Text from outside, made safe to be read in a terminal and on one line."""


def printable(text: str) -> str:
    """Give the text with everything that does not print, line breaks and what turns the direction of writing too, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
