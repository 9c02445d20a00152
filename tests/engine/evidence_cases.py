"""Evidence made for one law each: series up to a last close, and what the policy's rules make of them."""

from collections.abc import Mapping

import numpy as np
import pytest

from engine.market import Floats
from engine.policy.judgement import Judgement, judgement
from engine.policy.settings import Policy
from engine.signals.columns import Axis
from engine.signals.observations import Observations, Series
from engine.signals.panel import Family
from tests.engine.signals.stores import CLOSE, axis, weekdays

DAYS = weekdays(800)  # to Friday 26 January 2018
LAST = Axis(axis(len(DAYS)).closes[-30:])
DAY = np.timedelta64(24 * 60, "m")
MONTHLY = {"cpi", "ppi", "cpi_change", "cpi_consensus", "pe", "pcf_top50", "reer", "reer_12m"}
MEETINGS = {"fomc_dissents", "sep_median"}
QUARTERLY = {"gdp_dispersion", "gdp_growth", "gdp_consensus"}
ALL_FAMILIES = Policy.model_validate({"consensus": {"needed": 3, "families": [family.value for family in Family]}})


def series(name: str, values: Floats) -> Series:
    """The values up to the last close: a business day apart, or a month or quarter for what is published so."""
    if name in MONTHLY | MEETINGS | QUARTERLY:
        step = 3 if name in QUARTERLY else 1
        last = np.datetime64("2017-10" if name in QUARTERLY else "2017-12", "M")
        starts = (last - step * np.arange(len(values))[::-1]).astype("datetime64[m]")
        return Series(name, "x", starts, starts + 46 * DAY, values, "test")
    days = DAYS[-len(values) :].astype("datetime64[m]")
    return Series(name, "x", days, days + CLOSE, values, "test")


def judged(columns: Mapping[str, Floats | list[float]], **told) -> Judgement:
    given = {"vix": np.full(len(DAYS), 18.0)} | {name: np.asarray(values, float) for name, values in columns.items()}
    seen = Observations(dict(sorted((name, series(name, values)) for name, values in given.items())))
    return judgement(seen, LAST, told.pop("policy", ALL_FAMILIES), **told)


def rule(found: Judgement, name: str):
    return next(one for one in found.findings if one.rule.id == name)


def stance(found: Judgement, member: str):
    return next(one for one in found.ballots if one.member == member).stance


def then(values: Floats, *last: float) -> Floats:
    return np.append(values[: len(values) - len(last)], last)


WAVE = np.sin(np.arange(800.0) / 9.0)
SAW = np.tile([1.0, -1.0], 400)
UP = 4000.0 * 1.005 ** np.arange(120.0)
GAPS = np.tile([1.0, -1.0], 10)
"""Surprises with a deviation of sqrt(20/19) = 1.026."""
FLAT = np.full(300, 20.0)
FLOWS = {"spy_shares": 1e6 + 1e3 * SAW[:300], "spy_nav": FLAT, "vxx_nav": FLAT}
FALLING = 30.0 - 15.0 * np.linspace(0.0, 1.0, 800) ** 3
STEADY = 1e6 + 1e3 * SAW[:300]
FRONT = np.full(60, 20.0)
LINE = 700.0 + 3.0 * WAVE
CONFIRMED = {"advances": np.full(120, 1000.0), "declines": LINE[:120]}
"""Breadth that rises with the index."""


def change(of: Mapping[str, Floats | list[float]], **changed: Floats | list[float]):
    return dict(of), dict(of) | changed


def case(ids: str, name: str, effect: str, pair, what: str):
    return pytest.param(name, effect, *pair, marks=pytest.mark.requirement(*ids.split()), id=what)


def through(*points: tuple[int, float]) -> Floats:
    """Straight lines through (bar, level)."""
    bars, levels = zip(*points, strict=True)
    return np.interp(np.arange(bars[-1] + 1), bars, levels)


SPENT = through((0, 4000), (59, 4000), (74, 4400), (84, 4200), (124, 4420), (128, 4410), (146, 4460))
"""A higher high reached more slowly, so on a lower MACD, and a climb after it: RSI 92."""
DRIVEN = through((0, 4000), (59, 4000), (74, 4200), (84, 4150), (100, 4500), (104, 4490), (122, 4540))
"""The same, the higher high reached faster."""
NARROW = {"declines": LINE[: len(SPENT)]}
"""Breadth to which advances are still to be given."""
TEN_YEARS = np.linspace(10, 20, 119)
