"""Black's formula: independent libraries as oracles, laws as properties, a refusal for every meaningless term."""

import numpy as np
import py_lets_be_rational as rational
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.pricing.black import Greeks, forward_value, greeks

RATE = 0.037
CONTRACT = {
    "forward": st.floats(10.0, 1e4),
    "distance": st.floats(-5.0, 5.0),
    "years": st.floats(1e-3, 3.0),
    "vol": st.floats(0.03, 2.0),
    "sign": st.sampled_from([1.0, -1.0]),
}


def _contracts(count: int, spread: float, seed: int = 11) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(1 / 365), np.log(2.0), count))
    vol = rng.uniform(0.08, 0.8, count)
    forward = rng.uniform(4000.0, 6000.0, count)
    strike = forward * np.exp(rng.uniform(-spread, spread, count) * vol * np.sqrt(years))
    sign = np.where(rng.random(count) < 0.5, 1.0, -1.0)
    return {"forward": forward, "strike": strike, "years": years, "vol": vol, "sign": sign}


def _strike(forward: float, distance: float, years: float, vol: float) -> float:
    return forward * float(np.exp(distance * vol * np.sqrt(years)))


def test_out_of_the_money_values_keep_their_digits_in_the_far_wings(fast: bool) -> None:
    terms = _contracts(5000, 20.0)
    out = terms | {"sign": np.where(terms["strike"] > terms["forward"], 1.0, -1.0)}
    expected = np.array([rational.black(f, k, v, t, w) for f, k, t, v, w in zip(*out.values(), strict=True)])

    value = forward_value(**out, fast=fast)

    # One unit in the last place of forward / strike moves d by 2e-16 / sd, and the value by d times that.
    sd = out["vol"] * np.sqrt(out["years"])
    unit = 2.3e-16 * (8.0 + (np.abs(np.log(out["forward"] / out["strike"])) / sd + 1.0) * (1.0 / sd + 20.0))
    carried = expected > 1e-250
    assert (np.abs(value / expected - 1.0)[carried] <= 4.0 * unit[carried]).all()
    assert expected[carried].min() < 1e-80


def test_every_sensitivity_agrees_with_quantlib(fast: bool) -> None:
    terms = _contracts(300, 3.0)

    found = greeks(**terms, rate=RATE, fast=fast)

    for row, (f, k, t, v, w) in enumerate(zip(*terms.values(), strict=True)):
        side = QuantLib.Option.Call if w > 0 else QuantLib.Option.Put
        black = QuantLib.BlackCalculator(QuantLib.PlainVanillaPayoff(side, k), f, v * t**0.5, float(np.exp(-RATE * t)))
        assert found.value[row] == pytest.approx(black.value(), rel=1e-11, abs=1e-9)
        assert found.delta[row] == pytest.approx(black.deltaForward(), rel=1e-11, abs=1e-13)
        assert found.gamma[row] == pytest.approx(black.gammaForward(), rel=1e-10)
        assert found.vega[row] == pytest.approx(black.vega(t), rel=1e-11)
        assert found.vanna[row] == pytest.approx(black.vanna(f, t), rel=1e-9, abs=1e-12)
        assert found.volga[row] == pytest.approx(black.volga(t) * t**0.5, rel=1e-8, abs=1e-7)  # theirs per unit of sd
        assert found.theta[row] == pytest.approx(black.theta(f, t), rel=1e-9, abs=1e-7)  # forward = spot: no drift
        assert found.rho[row] == pytest.approx(black.rho(t) - t * f * black.deltaForward(), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("rate", [0.0, RATE])
def test_every_sensitivity_is_the_slope_of_what_it_names(rate: float, fast: bool) -> None:
    terms = _contracts(400, 3.0, seed=5)

    def slope(field: str, name: str, step: float) -> np.ndarray:
        base = terms | {"rate": np.full(400, rate)}
        shift = step * (base[name] if name != "rate" else 1.0)
        weights = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))
        return sum(c * getattr(greeks(**(base | {name: base[name] + m * shift})), field) for m, c in weights) / shift

    found = greeks(**terms, rate=rate, fast=fast)

    for field, source, name, sense in (
        ("delta", "value", "forward", 1.0),
        ("gamma", "delta", "forward", 1.0),
        ("vega", "value", "vol", 1.0),
        ("theta", "value", "years", -1.0),
        ("rho", "value", "rate", 1.0),
        ("vanna", "delta", "vol", 1.0),
        ("volga", "vega", "vol", 1.0),
        ("charm", "delta", "years", -1.0),
    ):
        expected = sense * slope(source, name, 3e-4)
        scale = np.abs(expected) + 1e-3 * np.abs(expected).max()
        assert (np.abs(getattr(found, field) - expected) <= 1e-5 * scale).all(), field


@given(**CONTRACT)
def test_call_less_put_is_forward_less_strike(
    forward: float, distance: float, years: float, vol: float, sign: float
) -> None:
    strike = _strike(forward, distance, years, vol)

    call, put = forward_value(forward, strike, years, vol, sign=[1.0, -1.0])

    assert call - put == pytest.approx(forward - strike, abs=4e-15 * max(forward, strike))


@given(**CONTRACT)
def test_value_rises_with_volatility_and_moves_with_the_forward(
    forward: float, distance: float, years: float, vol: float, sign: float
) -> None:
    strike = _strike(forward, distance, years, vol)
    dust = 1e-14 * max(forward, strike)

    value = forward_value(forward, strike, years, [vol, 1.01 * vol], sign=sign)
    moved = forward_value([forward, 1.01 * forward], strike, years, vol, sign=sign)

    assert value[1] >= value[0] - dust
    assert sign * (moved[1] - moved[0]) >= -dust
    assert max(sign * (forward - strike), 0.0) - dust <= value[0] <= (forward if sign > 0 else strike)


@given(**CONTRACT)
def test_value_is_convex_in_strike(forward: float, distance: float, years: float, vol: float, sign: float) -> None:
    strike = _strike(forward, distance, years, vol)

    low, middle, high = forward_value(forward, strike * np.array([0.99, 1.0, 1.01]), years, vol, sign=sign)

    assert low - 2.0 * middle + high >= -1e-14 * max(forward, strike)


@given(scale=st.floats(1e-3, 1e3), **CONTRACT)
def test_value_scales_with_forward_and_strike(
    scale: float, forward: float, distance: float, years: float, vol: float, sign: float
) -> None:
    strike = _strike(forward, distance, years, vol)
    dust = 1e-12 * scale * max(forward, strike)

    scaled = forward_value(scale * forward, scale * strike, years, vol, sign=sign)

    assert scaled == pytest.approx(scale * float(forward_value(forward, strike, years, vol, sign=sign)), abs=dust)


@pytest.mark.parametrize(("years", "vol"), [(0.0, 0.2), (1.0, 0.0), (0.0, 0.0)])
def test_without_time_or_volatility_an_option_is_its_intrinsic(years: float, vol: float, fast: bool) -> None:
    strikes, sign = np.array([90.0, 110.0, 90.0, 110.0]), np.array([1.0, 1.0, -1.0, -1.0])

    found = greeks(100.0, strikes, years, vol, sign=sign, rate=RATE, fast=fast)

    discount = np.exp(-RATE * years)
    np.testing.assert_allclose(forward_value(100.0, strikes, years, vol, sign=sign, fast=fast), [10, 0, 0, 10])
    np.testing.assert_allclose(found.delta, discount * np.array([1.0, 0.0, 0.0, -1.0]), rtol=1e-15)
    for column in (found.gamma, found.vega, found.vanna, found.volga):
        np.testing.assert_array_equal(column, 0.0)
    np.testing.assert_allclose(found.theta, RATE * found.value)


def test_an_option_at_the_money_without_time_is_worth_nothing_and_has_no_sensitivities(fast: bool) -> None:
    assert forward_value(100.0, 100.0, 0.0, 0.2, sign=1, fast=fast) == 0.0
    with pytest.raises(InputError, match="no derivative"):
        greeks(100.0, [90.0, 100.0], 0.0, 0.2, sign=1, fast=fast)


@pytest.mark.parametrize("vol", [1e-6, 5.0, 1e6])
def test_extremes_stay_between_intrinsic_and_the_bound(vol: float, fast: bool) -> None:
    strikes = np.array([1e-3, 1.0, 100.0, 1e4, 1e9])

    call, put = (forward_value(100.0, strikes, 2.0, vol, sign=sign, fast=fast) for sign in (1, -1))

    assert ((call >= np.maximum(100.0 - strikes, 0.0)) & (call <= 100.0)).all()
    assert ((put >= np.maximum(strikes - 100.0, 0.0)) & (put <= strikes)).all()


@pytest.mark.fault("F76")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("name", ["forward", "strike", "years", "vol"])
def test_a_term_without_meaning_is_refused_by_name(name: str, bad: float, fast: bool) -> None:
    terms = _contracts(10, 1.0)
    terms[name][7] = bad

    for price in (forward_value, greeks):
        with pytest.raises(InputError, match=f"^{name} {bad} refused"):
            price(**terms, fast=fast)


@pytest.mark.fault("F76")
@pytest.mark.parametrize("terms", [{"forward": 0.0}, {"strike": 0.0}, {"sign": 0.0}, {"sign": np.nan}])
def test_zero_has_no_price_and_a_side_is_one_of_two(terms: dict[str, float]) -> None:
    good = {"forward": 100.0, "strike": 100.0, "years": 1.0, "vol": 0.2, "sign": 1.0}

    with pytest.raises(InputError, match="refused"):
        forward_value(**(good | terms))


@pytest.mark.fault("F76")
def test_a_missing_rate_is_refused(fast: bool) -> None:
    with pytest.raises(InputError, match="rate nan refused"):
        greeks(100.0, 100.0, 1.0, 0.2, sign=1, rate=np.nan, fast=fast)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (41_000,)])
def test_shapes_broadcast(shape: tuple[int, ...], fast: bool) -> None:
    vol = np.full(shape, 0.2)

    found = greeks(100.0, 100.0, 1.0, vol, sign=1, fast=fast)

    assert {column.shape for column in found} == {shape}
    assert found._fields == Greeks._fields
    np.testing.assert_allclose(found.value, 7.965567455405804, rtol=1e-14)  # py_lets_be_rational


def test_rows_and_columns_meet(fast: bool) -> None:
    value = forward_value(np.array([[90.0], [100.0]]), np.array([95.0, 100.0, 105.0]), 0.5, 0.2, sign=-1, fast=fast)

    expected = [[rational.black(f, k, 0.2, 0.5, -1) for k in (95.0, 100.0, 105.0)] for f in (90.0, 100.0)]
    np.testing.assert_allclose(value, expected, rtol=1e-13)
