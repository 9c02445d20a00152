"""The committed parameter file reads; anything odd in it is refused by the path of its key."""

from datetime import date
from pathlib import Path

import pytest

from adapters.files.demo_parameters import DEMO_MARKET, demo_parameters, parameters_from
from engine.errors import ConfigError, UnknownKey

COMMITTED = DEMO_MARKET.read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    assert COMMITTED.count(old) == 1
    return COMMITTED.replace(old, new)


def test_the_committed_file_reads() -> None:
    found = demo_parameters()

    assert found.eth.level_on == date(2018, 4, 24)
    assert found.rates.source == "modelled: demo_market.toml"
    assert found.spx.smile.rho < 0 < found.vix.smile.rho
    assert found.spx.grid.near_step == 5.0


def test_every_number_of_the_committed_file_has_a_unit_or_a_provenance() -> None:
    commented = False
    for line in COMMITTED.splitlines():
        code, mark, _ = line.partition("#")
        if "=" in code and not line.startswith("#"):
            assert mark or commented, line
        commented = line.startswith("#") or (commented and bool(line.strip()))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("reversion = 4.0", "reversion = 4.0\nhaste = 1.0", r"variance\.haste"),
        ("[spx.smile]", "[spx.smile]\nrh0 = 0.1", r"spx\.smile\.rh0"),
        ("[rates]", "[bogus]\nx = 1\n[rates]", "bogus"),
    ],
)
def test_an_unknown_key_is_refused_by_its_path(old: str, new: str, told: str) -> None:
    with pytest.raises(UnknownKey, match=told):
        parameters_from(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("level = 700.0", "level = nan", r"eth\.level"),
        ("level = 700.0", "level = -700.0", r"eth\.level"),
        ("level = 700.0", "", r"eth\.level: Field required"),
        ("idiosyncratic_vol = 0.80", "idiosyncratic_vol = -0.1", r"eth\.idiosyncratic_vol"),
        ("implied_vol = 0.90", "implied_vol = inf", r"eth\.implied_vol"),
        ("implied_vol = 0.90", "implied_vol = 90.0", r"eth\.implied_vol"),
        ("level_on = 2018-04-24", "level_on = 'yesterday'", r"eth\.level_on"),
        ("vix_mean = 19.0", "vix_mean = 0.0", r"variance\.vix_mean"),
        ("weeks = 10 ", "weeks = 2 ", r"spx\.weeks"),
        ("eta = 1.10", "eta = 1.90", r"smile.*free of arbitrage"),
        ("rho = -0.65", "rho = -1.0", r"spx\.smile\.rho"),
        ("tenors = [0.0833, 0.25, 0.5, 1.0]", "tenors = [0.25, 0.0833, 0.5, 1.0]", "rates: .*tenors must rise"),
        ("tenors = [0.0833, 0.25, 0.5, 1.0]", "tenors = [0.25]", "rates: .*each needs one rate"),
        ("near_low = 0.75", "near_low = 0.30", r"spx\.grid: .*must hold"),
        ("    8.0, 9.0,", "    9.0, 8.0,", "vix: .*strikes must rise"),
        ("[eth]", "[eth", "refused"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_path(old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        parameters_from(changed(old, new))

    assert not isinstance(refused.value, UnknownKey)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml refused"):
        demo_parameters(tmp_path / "absent.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "odd.toml"
    odd.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"odd\.toml refused"):
        demo_parameters(odd)
