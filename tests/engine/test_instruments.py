from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, InvalidStructure
from engine.instruments import (
    Cash,
    FundShare,
    Future,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    VaultShare,
    from_terms,
    terms,
)
from engine.money import USD, Currency
from tests.engine.terms import EXPIRY, condor, spx


@pytest.mark.parametrize(
    "instrument",
    [
        Cash(USD),
        spx("4100.5", "P"),
        Future("VX", "VIX", EXPIRY, Decimal(1000)),
        LendingSupply("aave-cheap", Currency("USDC", 6)),
        LendingDebt("aave-cheap", Currency("DAI", 18)),
        Perpetual("perp-v2", "WETH", Currency("USDC", 6)),
        PowerPerpetual("squeeth", "WETH", Currency("WETH", 18)),
        LiquidityRange("uniswap-v3", Currency("WETH", 18), Currency("USDC", 6), Decimal(1200), Decimal("2000.5"), 3000),
        FundShare("VIXY"),
        VaultShare("yvUSDC", Currency("USDC", 6), 6),
    ],
)
def test_terms_written_and_read_back_are_the_same_instrument(instrument):
    assert from_terms(terms(instrument)) == instrument


def test_terms_of_an_unknown_kind_are_refused():
    with pytest.raises(InputError, match="not understood"):
        from_terms({"kind": "swaption"})


@given(st.lists(st.integers(1, 9000), min_size=4, max_size=4, unique=True).filter(lambda k: k != sorted(k)))
def test_condor_strikes_must_rise(strikes):
    with pytest.raises(InvalidStructure, match="must rise"):
        condor(*strikes)


def test_condor_legs_share_one_expiry():
    good = condor(90, 95, 105, 110)

    with pytest.raises(InvalidStructure, match="one root, expiry and settlement"):
        type(good)(good.put_wing, good.put_short, good.call_short, spx(110, "C", root="SPX"))


def test_an_expiry_without_a_zone_is_refused():
    with pytest.raises(InvalidStructure, match="time zone"):
        spx(100, "C", expiry=datetime(2023, 3, 24, 16, 0))  # noqa: DTZ001


@pytest.mark.parametrize(("lower", "upper"), [("2000", "1200"), ("1200", "1200"), ("0", "1200"), ("-1", "1200")])
def test_a_range_rises_from_above_zero(lower, upper):
    with pytest.raises(InvalidStructure, match="must rise"):
        LiquidityRange("pool", Currency("WETH", 18), Currency("USDC", 6), Decimal(lower), Decimal(upper), 3000)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("strike", ["nan", "inf", "-5", "0"])
def test_a_strike_that_is_no_level_is_refused(strike):
    with pytest.raises(InvalidStructure, match="must be positive"):
        spx(strike, "C")


def test_a_vault_share_is_no_unit_of_its_asset():
    share = VaultShare("yvUSDC", Currency("USDC", 6))

    assert share.currency == Currency("USDC", 6)
    assert (share.unit.code, share.unit.decimals) == ("yvUSDC vault share", 18)
