"""Intervals for shares that were counted on few trials."""

from __future__ import annotations

import math


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson, 1927).

    Args:
        successes: Trials that succeeded, out of `n`.
        z: Standard deviations; 1.96 gives 95%.

    Returns:
        Lower and upper end, within 0 and 1; without trials, all of it.

    Raises:
        ValueError: `successes` is not between 0 and `n`.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes out of {n}")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    # At the ends rounding would leave the share itself a little outside of its interval.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def above(low: float, baseline: float, n: int) -> bool:
    """Whether an interval lies above all of a baseline's own one.

    The baseline was counted on the same few trials: one right answer of 22 proves nothing against none of 22.

    Args:
        low: Lower end of the interval.
        baseline: Share of the `n` trials that the baseline has right.
    """
    return n > 0 and low > wilson(min(n, round(baseline * n)), n)[1]
