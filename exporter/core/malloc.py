"""How the C library keeps memory that was freed."""

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 1024 * 1024  # bytes


def return_large_blocks() -> None:
    """Have large blocks, such as an answer of 20 MiB, given back to the system when they are freed.

    glibc raises its threshold for that to the largest block that was ever freed, and then keeps them, unless it is set.
    Without effect where the C library has no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGE)


def return_freed() -> None:
    """Give back to the system what was freed between blocks that are in use. Takes milliseconds; without effect elsewhere."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
