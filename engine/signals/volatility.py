"""Where implied volatility stands and how its curve runs (S60, S63, S64, S76, S78, D09, D18, D28)."""

from collections.abc import Callable

import numpy as np

from engine.market import Floats
from engine.signals.columns import (
    Axis,
    Column,
    Compute,
    Signal,
    Way,
    as_released,
    column_of,
    in_step,
    joined,
    on_bars,
    together,
)
from engine.signals.momentum import macd
from engine.signals.observations import Observations, Series
from engine.signals.panel import Family
from engine.signals.position import WINDOW, percentile_rank, range_rank, z_of_last
from engine.signals.term_residual import WINDOW as RESIDUAL_BARS
from engine.signals.term_residual import term_residual
from engine.signals.windows import run_starts

_FRESH_DAYS = 5.0
_YEAR = 252
_FRIDAY = 4
_MARGIN, _CLOSES = 0.0025, 2  # D09
_PRESS_RANK = 0.80  # D28
_PRESS_VIX = (16.0, 20.0)  # D28
_OFF_HIGH = -0.03  # D28
_WEEK = 5


OnBars = Callable[[Floats], Floats]


def term_state(near: Floats, far: Floats, *, margin: float = _MARGIN, closes: int = _CLOSES) -> Floats:
    """
    The latched state of a curve at each close: +1 backwardation, -1 contango, 0 before either (D09).

    Backwardation is entered after `closes` closes with near >= far (1 + margin), contango after as many with
    far >= near (1 + margin); a state is left only by entering the other. A NaN is a close that says nothing:
    it neither counts nor breaks a run.

    >>> term_state(np.array([21.0, 21.0, 20.0]), np.array([20.0, 20.0, 20.0])).tolist()
    [0.0, 1.0, 1.0]
    """
    with np.errstate(invalid="ignore"):
        inverted, upward = near >= far * (1.0 + margin), far >= near * (1.0 + margin)
    told = np.isfinite(near) & np.isfinite(far)
    state, down, up = 0.0, 0, 0
    states = np.empty(len(near))
    for at, (falls, rises, seen) in enumerate(zip(inverted.tolist(), upward.tolist(), told.tolist(), strict=True)):
        if seen:
            down, up = (down + 1 if falls else 0), (up + 1 if rises else 0)
            state = 1.0 if down >= closes else -1.0 if up >= closes else state
        states[at] = state
    return states


def weekly(series: Series) -> Series:
    """
    The last bar of each completed week.

    A week is complete at its Friday's bar, or, where Friday has none, with the first bar after it.
    """
    days = series.as_of.astype("datetime64[D]")
    number = (days.astype(np.int64) + 3) // 7  # 1 January 1970 was a Thursday
    last = np.append(number[1:] != number[:-1], True)[: len(days)]
    on_friday = (days.astype(np.int64) + 3) % 7 == _FRIDAY
    rows = np.flatnonzero(last)
    after = np.minimum(rows + 1, len(days) - 1)
    whole = on_friday[rows] | (rows + 1 < len(days))
    own = series.released[rows]
    released = np.where(on_friday[rows], own, np.maximum(own, series.released[after]))
    return Series(
        f"{series.name} weekly",
        series.unit,
        series.as_of[rows][whole],
        released[whole],
        series.values[rows][whole],
        series.source,
    )


def rolling(values: Floats, window: int, measure: Callable[[Floats], float]) -> Floats:
    """`measure` of the last `window` values at each bar, NaN before there are so many."""
    found = np.full(len(values), np.nan)
    if len(values) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(values, window)
        found[window - 1 :] = [measure(part) for part in windows]
    return found


def _level(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, lambda bars: bars, max_age_days=_FRESH_DAYS)

    return compute


def _ranked(name: str, window: int, measure: Callable[[Floats], float]) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, lambda bars: rolling(bars, window, measure), max_age_days=_FRESH_DAYS)

    return compute


def _of_pair(
    near: str, far: str, combine: Callable[[Floats, Floats], Floats], then: OnBars = lambda bars: bars
) -> Compute:
    """An indicator of two series combined on the days that both have."""

    def compute(observations: Observations, axis: Axis) -> Column:
        pair = joined([observations[near], observations[far]], combine, f"{near} and {far}", "x")
        return on_bars(pair, axis, then, max_age_days=_FRESH_DAYS)

    return compute


def _slope(near: str, far: str) -> Compute:
    return _of_pair(near, far, lambda first, second: second / first - 1.0)


def _inverted(near: str, far: str) -> Compute:
    """1 in backwardation, 0 in contango; unseen until either has been entered."""
    return _of_pair(near, far, term_state, lambda states: np.where(states == 0.0, np.nan, states == 1.0))


def _ratio(short: str, long: str) -> Compute:
    return _of_pair(short, long, lambda first, second: first / second)


def _ratio_rank(short: str, long: str) -> Compute:
    return _of_pair(
        short, long, lambda first, second: first / second, lambda bars: rolling(bars, _YEAR, percentile_rank)
    )


def _press(short: str, long: str) -> Compute:
    """A dear front end, VIX between 16 and 20 or backwardation, and SPX near its high (D28)."""

    def compute(observations: Observations, axis: Axis) -> Column:
        rank, vix = _ratio_rank(short, long)(observations, axis), _level("vix")(observations, axis)
        off, (inverted, _) = _off_high(observations, axis), column_of(BACKWARDATION, observations, axis)
        zone = ((vix.values >= _PRESS_VIX[0]) & (vix.values <= _PRESS_VIX[1])) | (inverted.values == 1.0)
        fires = (rank.values >= _PRESS_RANK) & zone & (off.values >= _OFF_HIGH)
        return together([rank, vix, off], lambda *_: fires.astype(float))

    return compute


def _off_high(observations: Observations, axis: Axis) -> Column:
    return on_bars(
        observations["spx"],
        axis,
        lambda bars: bars / rolling(bars, _YEAR, lambda part: float(part.max())) - 1.0,
        max_age_days=_FRESH_DAYS,
    )


def _weekly_macd(observations: Observations, axis: Axis) -> Column:
    bars = weekly(observations["vx_30d"])
    return on_bars(bars, axis, lambda closes: macd(closes).histogram, max_age_days=2 * 7.0)


def _change(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, lambda bars: _over(bars, _WEEK), max_age_days=_FRESH_DAYS)

    return compute


def _widened(high: Floats, safe: Floats) -> Floats:
    return np.asarray(np.log(safe / high))


def _weekly_z(bars: Floats) -> Floats:
    return rolling(_over(bars, _WEEK), _YEAR, z_of_last)


def _weekly_z_of(name: str) -> Compute:
    def compute(observations: Observations, axis: Axis) -> Column:
        return on_bars(observations[name], axis, _weekly_z, max_age_days=_FRESH_DAYS)

    return compute


def _residual(observations: Observations, axis: Axis) -> Column:
    """Robust z of the short future against the longer one, at each close of the axis (D13e)."""
    parts = [observations[name] for name in ("vx_front", "vx_second", "vix", "vx_gap")]
    days, released, columns = in_step(parts)
    starts = run_starts(days, 2.0 * _FRESH_DAYS)
    answers = np.full(len(days), np.nan)
    wanted = np.unique(np.searchsorted(np.maximum.accumulate(released), axis.closes, side="right") - 1)
    for at in wanted[wanted >= 0]:
        if at + 1 - starts[at] >= RESIDUAL_BARS:
            answers[at] = term_residual(*(column[starts[at] : at + 1] for column in columns)).z
    return as_released(days, released, answers, axis, max_age_days=_FRESH_DAYS)


def _over(values: Floats, bars: int) -> Floats:
    return np.concatenate([np.full(min(bars, len(values)), np.nan), values[bars:] - values[:-bars]])


def _signal(name: str, unit: str, source: str, says: str, *ways: Way) -> Signal:
    return Signal(name, Family.VOLATILITY, unit, ways, source, says)


BACKWARDATION = _signal(
    "backwardation",
    "yes",
    "S64, D09",
    "the VIX curve is inverted (latched)",
    Way(("vx_front", "vx_second"), _inverted("vx_front", "vx_second")),
    Way(("vix", "vix3m"), _inverted("vix", "vix3m")),
)

SIGNALS: tuple[Signal, ...] = (
    _signal("vix", "points", "S77", "VIX at the close", Way(("vix",), _level("vix"))),
    _signal(
        "iv_percentile",
        "%",
        "S63, D18, X16",
        "share of the last 90 sessions at or below today's implied volatility",
        Way(("iv30",), _ranked("iv30", WINDOW, percentile_rank)),
        Way(("vix",), _ranked("vix", WINDOW, percentile_rank)),
    ),
    _signal(
        "iv_range_rank",
        "%",
        "S63, D18, X16",
        "place of implied volatility in its 90-session range",
        Way(("iv30",), _ranked("iv30", WINDOW, range_rank)),
        Way(("vix",), _ranked("vix", WINDOW, range_rank)),
    ),
    _signal(
        "term_slope",
        "%",
        "S64, D09",
        "second VIX future over the first, less one",
        Way(("vx_front", "vx_second"), _slope("vx_front", "vx_second")),
        Way(("vix", "vix3m"), _slope("vix", "vix3m")),
    ),
    BACKWARDATION,
    _signal(
        "macd_vix_weekly", "points", "S60, D18", "MACD histogram of weekly VIX futures", Way(("vx_30d",), _weekly_macd)
    ),
    _signal(
        "front_carry",
        "x",
        "S78, D28",
        "7-day over 45-day at-the-money volatility",
        Way(("iv7", "iv45"), _ratio("iv7", "iv45")),
        Way(("vix9d", "vix"), _ratio("vix9d", "vix")),
    ),
    _signal(
        "front_carry_press",
        "yes",
        "S78, D28",
        "the front end is dear, VIX about 18 or inverted, SPX near its high",
        Way(("iv7", "iv45", "vix", "spx"), _press("iv7", "iv45")),
        Way(("vix9d", "vix", "spx"), _press("vix9d", "vix")),
    ),
    _signal(
        "vx_residual",
        "sd",
        "S48, D13",
        "short VIX future against the longer one",
        Way(("vx_front", "vx_second", "vix", "vx_gap"), _residual),
    ),
    _signal("spx_off_high", "%", "D28", "SPX below its 52-week high", Way(("spx",), _off_high)),
    _signal("hy_spread_change", "bp", "S76", "high-yield spread, five sessions", Way(("hy_oas",), _change("hy_oas"))),
    _signal(
        "credit_widening",
        "sd",
        "S76",
        "five-day rise of the high-yield spread, or fall of HYG against IEF",
        Way(("hy_oas",), _weekly_z_of("hy_oas")),
        Way(("hyg", "ief"), _of_pair("hyg", "ief", _widened, _weekly_z)),
    ),
)
"""Every signal of the volatility complex and of credit."""
