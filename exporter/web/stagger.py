"""Staggers the accounts of one scrape: their requests do not start at the same moment."""

STEP = 0.02  # seconds from one account to the next, where there is time
MAX_SHARE = 0.25  # of the time for the whole scrape: the last accounts need enough of it, too


def offsets(accounts: int, left: float) -> list[float]:
    """Return the seconds to wait for each account, `left` seconds before the scrape's deadline.

    They depend on nothing else: an account starts at the same moment of each scrape, from which its collectors' intervals
    count.
    """
    step = min(STEP, max(left, 0.0) * MAX_SHARE / max(accounts - 1, 1))
    return [number * step for number in range(accounts)]
