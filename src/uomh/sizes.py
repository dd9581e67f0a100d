"""How many points are taken at once, so that memory does not grow with the size of a point."""

from __future__ import annotations

USUAL_DIM = 3 * 32 * 32
"""coordinates of the largest images that the numbers of points in settings are meant for"""


def is_large(dim: int) -> bool:
    """Whether points of so many coordinates need more care than those of 32x32 colour images."""
    return dim > USUAL_DIM


def at_once(most: int, dim: int) -> int:
    """How many points of so many coordinates to take where ``most`` is right for usual sizes.

    Beyond 32x32 colour images it is the largest power of two that holds no more coordinates.

    >>> [at_once(128, 3 * side**2) for side in (8, 32, 64, 96)]
    [128, 128, 32, 8]
    """
    if not is_large(dim):
        return most
    fitting = max(1, most * USUAL_DIM // dim)
    return 1 << (fitting.bit_length() - 1)
