"""When each account of one scrape begins to ask: one after the other, not all at the same moment."""

STEP = 0.02  # seconds from one account to the next, where there is time
SHARE = 0.25  # of the time for the whole scrape, at most: the last ones must have enough of it, too


def offsets(accounts: int, left: float) -> list[float]:
    """Give the seconds to wait for each of so many accounts, `left` seconds before the scrape's deadline.

    They depend on nothing else, so that an account begins at the same moment of each scrape: its collectors' intervals
    count from there.
    """
    step = min(STEP, max(left, 0.0) * SHARE / max(accounts - 1, 1))
    return [number * step for number in range(accounts)]
