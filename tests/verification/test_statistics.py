from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.verification.statistics import above, wilson


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_mirrors(case):
    k, n = case
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    mirrored = wilson(n - k, n)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-12)


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_trials_narrow_the_interval(k, factor):
    narrow, wide = wilson(k * (factor + 1), 50 * (factor + 1)), wilson(k, 50)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_known_values():
    assert wilson(0, 0) == (0.0, 1.0)
    # Newcombe (1998), table I: 81 of 263 and 15 of 148.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    with pytest.raises(ValueError, match="5 successes out of 4"):
        wilson(5, 4)


def test_one_right_answer_is_not_above_a_baseline_of_none():
    assert not above(wilson(1, 22)[0], 0.0, 22)
    assert above(wilson(8, 22)[0], 0.0, 22)
    assert not above(wilson(8, 22)[0], 4 / 22, 22)
    assert not above(0.0, 0.0, 0)
