"""A smile between two listed ones, and the volatility at the forward in between."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MissingQuote
from engine.risk.smile import Smile, smile_between

ASOF = datetime(2024, 3, 1, 21, 15, tzinfo=UTC)
K = np.linspace(-0.4, 0.3, 30)


def smiles(*vols):
    return {
        ("SPXW", ASOF + timedelta(days=30 * n)): Smile(
            ASOF + timedelta(days=30 * n),
            30 * n / 365,
            5000 * np.exp(0.03 * 30 * n / 365),
            0.04 + 0.002 * n,
            K,
            vol - 0.2 * K,
        )
        for n, vol in enumerate(vols, start=1)
    }


@given(st.floats(31, 59), st.floats(-0.4, 0.3))
def test_total_variance_forward_and_discount_run_straight_in_time(days, moneyness):
    listed = smiles(0.2, 0.18)
    near, far = listed.values()
    share = (days - 30) / 30

    found = smile_between(listed, "SPXW", ASOF + timedelta(days=days), days / 365)

    k = np.array([moneyness])
    near_total, far_total = near.vol(k)[0] ** 2 * 30 / 365, far.vol(k)[0] ** 2 * 60 / 365
    assert found.vol(k)[0] ** 2 * days / 365 == pytest.approx((1 - share) * near_total + share * far_total, rel=2e-4)
    assert found.forward == pytest.approx(5000 * np.exp(0.03 * days / 365))
    assert found.rate * days == pytest.approx((1 - share) * near.rate * 30 + share * far.rate * 60)


@given(st.floats(30.001, 60))
def test_between_two_expiries_total_variance_never_falls(days):
    listed = smiles(0.2, 0.18)
    near, _ = listed.values()

    found = smile_between(listed, "SPXW", ASOF + timedelta(days=days), days / 365)

    assert np.all(found.vol(K) ** 2 * days / 365 >= near.vol(K) ** 2 * 30 / 365 - 1e-12)


@pytest.mark.parametrize(("root", "days"), [("SPXW", 10), ("SPXW", 90), ("SPX", 45)])
def test_beyond_what_a_root_lists_there_is_no_smile(root, days):
    with pytest.raises(MissingQuote, match="no smile"):
        smile_between(smiles(0.2, 0.18), root, ASOF + timedelta(days=days), days / 365)
