"""A chain file and the rates it is priced with, as the options of a verb give them."""

from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from adapters.files.chain_file import read_chain
from adapters.files.series import read_bill_curve
from engine.errors import InputError
from engine.instruments import MARKET_ZONE
from engine.market import Finding, OptionChain, RateCurve, Severity
from engine.signals.expiries import parity_curve


def chain_and_curve(
    file: str, *, asof: str = "", spot: float = 0.0, rate: str = "", rates: str = ""
) -> tuple[OptionChain, RateCurve, tuple[Finding, ...]]:
    """
    The chain in a file, the rates it is priced with, and what was assumed for them.

    Parameters
    ----------
    asof, spot : of a long-format file, which does not carry them
    rate : one rate as a percentage, "4.65%"; rates : a file of three-month bill discounts. Without
        either, the median rate that put-call parity implies.
    """
    chain = read_chain(Path(file), asof=_instant(asof), spot=_level(spot))
    curve, assumed = _curve(chain, rate, Path(rates) if rates else None)
    return chain, curve, assumed


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InputError(
            f"--asof {text!r} refused",
            why="it is not an instant with its time zone",
            todo="write it as 2026-07-23T16:15-04:00",
        )
    return instant.astimezone(UTC)


def _level(spot: float) -> float | None:
    if spot == 0.0:
        return None
    if not isfinite(spot) or spot < 0:
        raise InputError(f"--spot {spot} refused", why="a level is a positive number", todo="give index points")
    return spot


def _curve(chain: OptionChain, rate: str, rates: Path | None) -> tuple[RateCurve, tuple[Finding, ...]]:
    if rate and rates is not None:
        raise InputError("two rates refused", why="--rate and --rates exclude each other", todo="give one of them")
    if rate:
        return RateCurve((1.0,), (_percentage(rate),), f"--rate {rate}"), ()
    if rates is not None:
        return read_bill_curve(rates, chain.asof.astimezone(MARKET_ZONE).date()), ()
    curve = parity_curve(chain)
    detail = f"no rate given: {curve.rates[0]:.2%}, the median rate that put-call parity implies, is assumed"
    return curve, (Finding("rate_assumed", Severity.NOTE, None, (), detail),)


def _percentage(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100.0 if text.strip().endswith("%") else float("nan")
    except ValueError:
        value = float("nan")
    if not isfinite(value) or abs(value) > 1.0:
        raise InputError(f"--rate {text!r} refused", why="it is no percentage per year", todo='write it as "4.65%"')
    return value
