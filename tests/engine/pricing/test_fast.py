"""When work compiles, what it costs those who do not ask for it, and its agreement with numpy."""

import subprocess
import sys

import numpy as np
import pytest

from engine.errors import InputError
from engine.pricing import fast as extra
from engine.pricing import implied, tail
from engine.pricing.black import forward_value, greeks
from engine.pricing.implied import implied_vol

needs_numba = pytest.mark.skipif(not extra.installed(), reason="the extra `fast` is not installed")


def _contracts(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(17)
    years, vol = np.exp(rng.uniform(np.log(1 / 8760), np.log(2.0), count)), rng.uniform(0.05, 1.5, count)
    forward = rng.uniform(10.0, 6000.0, count)
    strike = forward * np.exp(rng.uniform(-6.0, 6.0, count) * vol * np.sqrt(years))
    return {"forward": forward, "strike": strike, "years": years, "vol": vol, "sign": rng.choice([1.0, -1.0], count)}


def test_importing_and_using_pricing_loads_no_compiler() -> None:
    program = (
        "import sys\n"
        "import engine.pricing.paths, engine.pricing.fast\n"
        "from engine.pricing.black import greeks\n"
        "from engine.pricing.implied import implied_vol\n"
        "greeks(100.0, 100.0, 1.0, [0.2] * 5000, sign=1), implied_vol([8.0] * 5000, 100.0, 100.0, 1.0, sign=1)\n"
        "sys.exit('numba' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@needs_numba
def test_only_work_that_outweighs_the_compiler_compiles_unless_told() -> None:
    assert not extra.compiles(None, extra.COMPILED_FROM - 1)
    assert extra.compiles(None, extra.COMPILED_FROM)
    assert extra.compiles(True, 1)
    assert not extra.compiles(False, extra.COMPILED_FROM)


def test_without_the_extra_the_size_decides_nothing_and_asking_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "installed", lambda: False)

    assert not extra.compiles(None, 10**12)
    with pytest.raises(InputError, match="install the extra `fast`"):
        extra.compiles(True, 10**12)


@needs_numba
def test_compiled_sensitivities_agree_to_what_a_last_digit_of_moneyness_moves() -> None:
    terms = _contracts(20_000)
    rate = np.random.default_rng(1).uniform(-0.02, 0.1, 20_000)

    plain, fast = (greeks(**terms, rate=rate, fast=choice) for choice in (False, True))

    sd = terms["vol"] * np.sqrt(terms["years"])
    unit = 2.3e-16 * (20.0 + 50.0 / sd)  # of moneyness in deviations, times six deviations and the next power
    for field in plain._fields:
        one, other = getattr(plain, field), getattr(fast, field)
        scale = np.maximum(np.abs(one), 1e-3 * np.abs(getattr(plain, "value" if field == "rho" else field)))
        room = unit * scale + 1e-15 * np.abs(one).max() + 1e-300
        assert (np.abs(one - other) <= room).all(), field


@needs_numba
def test_compiled_inversion_agrees_in_value_and_in_reason() -> None:
    terms = _contracts(20_000)
    price = forward_value(**terms)
    price[::50] = 0.0
    price[1::50] = np.nan
    price[2::50] = 1e9
    vol = terms.pop("vol")

    plain, fast = (implied_vol(price, **terms, fast=choice) for choice in (False, True))

    np.testing.assert_array_equal(fast.status, plain.status)
    carried = (plain.status == 0) & (np.abs(plain.vol - vol) < 1e-12)
    assert carried.mean() > 0.5
    np.testing.assert_allclose(fast.vol[carried], plain.vol[carried], rtol=0, atol=2e-12)


@needs_numba
def test_both_ways_hold_the_same_numbers() -> None:
    from engine.pricing.fast import kernels

    assert kernels.NUMERATOR == tail.NUMERATOR
    assert kernels.DENOMINATOR == tail.DENOMINATOR
    assert kernels.START == implied.START


@needs_numba
def test_plain_arithmetic_replaces_the_c_library_to_the_last_digit() -> None:
    from numba import vectorize

    from engine.pricing.fast.kernels import exponential, logarithm

    rng = np.random.default_rng(2)
    x = rng.uniform(-708.0, 709.0, 50_000)
    y = np.concatenate([np.exp(x), rng.uniform(0.999, 1.001, 50_000), [1.0]])

    np.testing.assert_allclose(vectorize(["f8(f8)"])(exponential.py_func)(x), np.exp(x), rtol=4.5e-16)
    np.testing.assert_allclose(vectorize(["f8(f8)"])(logarithm.py_func)(y), np.log(y), rtol=4.5e-16, atol=0)
    assert vectorize(["f8(f8)"])(exponential.py_func)(-1e300) == 0.0
