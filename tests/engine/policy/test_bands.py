import pytest

from engine.errors import ConfigError, InputError
from engine.policy.bands import HORIZONS, Band, GapPolicy, Horizons


@pytest.mark.requirement("X01", "S11")
@pytest.mark.parametrize("days", range(401))
def test_every_tenor_has_one_horizon(days):
    inside = [band.name for band in HORIZONS if band.holds(days)]

    found = Horizons().band(days)

    assert found is not None
    assert inside in ([], [found.name])
    assert found.distance(days) == min(band.distance(days) for band in HORIZONS)


@pytest.mark.requirement("X01")
def test_eleven_days_lie_as_near_to_both_and_go_to_the_shorter():
    found = Horizons().band(11)

    assert found is not None
    assert (found.name, HORIZONS[1].distance(11), found.distance(11)) == ("short", 4, 4)


@pytest.mark.requirement("X01")
@pytest.mark.parametrize("days", [8, 14, 46, 59])
def test_a_gap_may_be_left_empty(days):
    assert Horizons(gaps=GapPolicy.NONE).band(days) is None


@pytest.mark.parametrize(
    "bands",
    [
        (Band("a", 0, 20), Band("b", 20, 30)),
        (Band("a", 0, None), Band("b", 20, 30)),
        (Band("a", 10, 5),),
        (Band("a", -1, 5),),
    ],
)
def test_bands_that_overlap_or_run_backwards_are_refused(bands):
    with pytest.raises(ConfigError, match=r"layers\."):
        Horizons(bands)


def test_an_expired_tenor_is_refused():
    with pytest.raises(InputError):
        Horizons().band(-1)
