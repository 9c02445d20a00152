from decimal import Decimal

import pytest

from engine.errors import ConfigError, LimitOutOfRange
from engine.policy.bounds import whole, within


@pytest.mark.parametrize("number", [0, 0.25, Decimal("0.25")])
def test_both_ends_of_a_range_are_allowed(number):
    within("limits.sleeve_cap", number, 0, 0.25, rule="X05")


@pytest.mark.parametrize("number", [-0.01, 0.2500001, float("nan"), float("inf")])
def test_a_setting_outside_says_key_value_range_and_rule(number):
    with pytest.raises(LimitOutOfRange) as refused:
        within("limits.sleeve_cap", number, 0, 0.25, rule="X05")

    said = str(refused.value)
    assert all(part in said for part in ("limits.sleeve_cap", str(number), "0 to 0.25", "X05"))


def test_shares_of_another_sum_are_refused_with_every_share():
    with pytest.raises(ConfigError, match=r"waterfall = 90.*fees 40.*rest 50.*100 % \(X13\)"):
        whole("waterfall", {"fees": Decimal("0.4"), "rest": Decimal("0.5")}, rule="X13")


def test_a_negative_share_is_refused_even_if_the_sum_is_whole():
    with pytest.raises(LimitOutOfRange, match=r"waterfall\.fees"):
        whole("waterfall", {"fees": Decimal("-0.1"), "rest": Decimal("1.1")}, rule="X13")
