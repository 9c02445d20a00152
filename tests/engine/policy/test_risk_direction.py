"""Which changes of a policy need the quorum: everything but what plainly takes risk off."""

import pytest

from engine.policy.risk_direction import DIRECTIONS, raising
from engine.policy.settings import Policy

DEFAULT = Policy()


@pytest.mark.requirement("S89", "X17")
@pytest.mark.parametrize(
    ("change", "raised"),
    [
        ({"limits": {"sleeve_cap": "18%"}}, ()),
        ({"limits": {"sleeve_cap": "22%"}}, ("limits.sleeve_cap",)),
        ({"limits": {"health_factor_min": 1.6}}, ()),
        ({"limits": {"health_factor_min": 1.4}}, ("limits.health_factor_min",)),
        ({"hedge": {"ratio": 1.2}}, ()),
        ({"hedge": {"ratio": 0.9}}, ("hedge.ratio",)),
        ({"consensus": {"needed": 3}}, ()),
        ({"limits": {"drawdown_2sd": "5%"}, "core": {"dte_target": 40}}, ("core.dte_target",)),
        ({"rules": DEFAULT.rules[1:]}, ("rules",)),
    ],
)
def test_a_change_raises_risk_unless_its_number_is_known_to_fall(change, raised):
    assert raising(DEFAULT, Policy.model_validate(change)) == raised


def test_every_direction_is_of_a_number_of_the_policy():
    for key in DIRECTIONS:
        section, name = key.split(".")
        assert isinstance(float(getattr(getattr(DEFAULT, section), name)), float)
