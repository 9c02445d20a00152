"""Whether conditions can be met: a level inside what its signal can read, and sets of them that do not contradict."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from engine.errors import ConfigError, LimitOutOfRange
from engine.market import Floats
from engine.policy.rule import Condition, Rule
from engine.signals.columns import Signal

_SHARE = (0.0, 1.0)
_STRENGTH = (0.0, 100.0)
_SIGN = (-1.0, 1.0)
_NOT_NEGATIVE = (0.0, math.inf)
_RELATIVE_CHANGE = (-1.0, math.inf)
_SCALES = {"%": 100.0, "bp": 10_000.0}

RANGES: Mapping[str, tuple[float, float]] = {
    "rsi_spx": _STRENGTH,
    "rsi_eth": _STRENGTH,
    "macd_cross_spx": _SIGN,
    "macd_divergence_spx": _SIGN,
    "iv_percentile": _SHARE,
    "iv_range_rank": _SHARE,
    "pe_rank": _SHARE,
    "gdp_uncertainty": _SHARE,
    "utilisation": _SHARE,
    "vix": _NOT_NEGATIVE,
    "front_carry": _NOT_NEGATIVE,
    "funding_annual": _NOT_NEGATIVE,
    "borrow_rate": _NOT_NEGATIVE,
    "spx_off_high": (-1.0, 0.0),
    "tvl_change": _RELATIVE_CHANGE,
    "treasury_change": _RELATIVE_CHANGE,
    "peg": _RELATIVE_CHANGE,
}
"""Least and greatest reading of each signal that has one, in the signal's own number; a truth is yes or no."""


def in_range(each: Condition, signal: Signal, where: str) -> None:
    """Raises `LimitOutOfRange` for a level its signal cannot read, or a condition that holds always or never."""
    low, high = RANGES.get(each.signal, (-math.inf, math.inf))
    met = each.holds(_points([each]))
    if not low <= each.level <= high or (each.op != "is" and met.min() == met.max()):
        raise LimitOutOfRange(
            f"{where} = {each.written!r}",
            why=f"it {'always' if met.max() else 'never'} holds",
            todo=f"{each.signal} runs {_words(low, high, signal.unit)}",
        )


def can_hold(conditions: Sequence[Condition], needed: int, where: str) -> None:
    """Raises `ConfigError` where no readings meet `needed` of the conditions."""
    most = sum(int(_states(part).sum(axis=0).max()) for part in _by_signal(conditions).values())
    if most < needed:
        raise ConfigError(
            f"{where} = {_written(conditions)}",
            why=f"no readings meet more than {most} of the {needed} needed",
            todo="correct a level or ask for fewer",
        )


def apart(first: Sequence[Condition], second: Sequence[Condition], where: str, *, all_of_second: bool) -> None:
    """
    Raises `ConfigError` where one reading of a signal meets all of `first` and any of `second` on it.

    Parameters
    ----------
    all_of_second : whether all of `second` on that signal must be met rather than any
    """
    other = _by_signal(second)
    for signal, part in _by_signal(first).items():
        against = other.get(signal, [])
        points = _points([*part, *against])
        ends = _states(against, points)
        both = _states(part, points).all(axis=0) & (ends.all(axis=0) if all_of_second else ends.any(axis=0))
        if against and both.any():
            raise ConfigError(
                f"{where} = {_written(against)}",
                why=f"a {signal} that meets it also meets {_written(part)}",
                todo="leave a band between the two, or none on either side",
            )


def latch_lets_go(rule: Rule, where: str) -> None:
    """Raises `ConfigError` where what ends a rule on some signal also begins it."""
    begins = [[each] for each in rule.when] if rule.quorum < len(rule.when) else [list(rule.when)]
    for first in begins:
        apart(first, rule.until, where, all_of_second=1 < rule.until_quorum == len(rule.until))


def no_looser(rules: Sequence[Rule], signal: str, limit: float, key: str) -> None:
    """Raises `ConfigError` for a rule that waits for more of a signal than a hard limit permits."""
    for rule in rules:
        for each in rule.when:
            if each.signal == signal and each.op in {">", ">="} and each.level > limit:
                raise ConfigError(
                    f"rules.{rule.id}.when = {each.written!r}",
                    why=f"{key} stops at {limit:.2%} already",
                    todo=f"write a level of at most {limit:.2%}",
                )


def _by_signal(conditions: Sequence[Condition]) -> dict[str, list[Condition]]:
    return {name: [each for each in conditions if each.signal == name] for name in {c.signal for c in conditions}}


def _states(conditions: Sequence[Condition], points: Floats | None = None) -> np.ndarray:
    at = _points(conditions) if points is None else points
    return np.array([each.holds(at) == 1.0 for each in conditions]).reshape(len(conditions), len(at))


def _points(conditions: Sequence[Condition]) -> Floats:
    """Readings of one signal that tell its conditions apart: each level, one between any two, one beyond the ends."""
    if any(each.op == "is" for each in conditions):
        return np.array([0.0, 1.0])
    low, high = RANGES.get(conditions[0].signal, (-math.inf, math.inf))
    levels = sorted({each.level for each in conditions})
    ends = [low if math.isfinite(low) else levels[0] - 1.0, high if math.isfinite(high) else levels[-1] + 1.0]
    between = [(one + other) / 2.0 for one, other in pairwise(sorted({*levels, *ends}))]
    points = np.array([*ends, *levels, *between])
    return points[(points >= low) & (points <= high)]


def _written(conditions: Sequence[Condition]) -> str:
    return str([each.written for each in conditions])


def _words(low: float, high: float, unit: str) -> str:
    scale = _SCALES.get(unit, 1.0)
    first, last = (f"{scale * end:g}{'%' if unit == '%' else f' {unit}'}" for end in (low, high))
    return f"from {first} up" if math.isinf(high) else f"from {first} to {last}"
