"""Marks an operator gives by hand, for what the market at hand does not quote."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import TypeVar

from adapters.files.book_file import read_instrument
from engine.errors import InputError
from engine.instruments import MARKET_ZONE, Cash, FundShare, Future, Perpetual, PowerPerpetual
from engine.market import FundMark, MarketSnapshot, PerpetualMark, PowerMark
from engine.pricing.etp import terms_on
from engine.signals.betas import Beta, shrunk

M = TypeVar("M", bound=PerpetualMark | PowerMark)

_SHRINKAGE = ("error", "bucket", "bucket_error")
_EXAMPLE = '"VIXY share=23.4", "perp-v2 WETH perp=2250,funding=10%" or "squeeth WETH squared=0.61,vol=80%"'


def with_marks(snapshot: MarketSnapshot, given: Sequence[str]) -> MarketSnapshot:
    """
    The market with marks written as `INSTRUMENT=NUMBER[,name=number...]`.

    A fund takes `leverage` and `fee` from its stated terms unless given, or `beta`; an estimated beta
    comes with its `error` and with the mean and spread of its size bucket, `bucket` and `bucket_error`,
    towards which it is shrunk (D20). A perpetual takes `funding` and a power perpetual its normalisation
    and `vol`, each per year. Raises `InputError` on anything else.
    """
    for written in given:
        snapshot = _with_mark(snapshot, written)
    return snapshot


def _with_mark(snapshot: MarketSnapshot, written: str) -> MarketSnapshot:
    name, _, rest = written.partition("=")
    level_text, *others = rest.split(",")
    level = _number(written, level_text)
    terms = {key.strip(): _number(written, text) for key, _, text in (other.partition("=") for other in others)}
    instrument, chain = read_instrument(name.strip()), snapshot.chain
    found, known = snapshot, tuple[str, ...]()
    match instrument:
        case Cash(currency=currency):
            found = replace(snapshot, chain=replace(chain, prices={**chain.prices, currency.code: level}))
        case Future(underlying="VIX"):
            levels = {**dict(snapshot.vix_futures), instrument.expiry: level}
            found = replace(snapshot, vix_futures=tuple(sorted(levels.items())))
        case FundShare():
            known = ("leverage", "fee", "beta", *_SHRINKAGE)
            mark = _fund(snapshot, instrument.symbol, level, terms)
            found = replace(snapshot, funds=(*(m for m in snapshot.funds if m.symbol != mark.symbol), mark))
        case Perpetual():
            known = ("funding",)
            marked = PerpetualMark(instrument.venue, instrument.underlying, level, terms.get("funding", 0.0))
            found = replace(snapshot, chain=replace(chain, perpetuals=_replaced(chain.perpetuals, marked)))
        case PowerPerpetual() if "vol" in terms:
            known = ("vol",)
            unit = PowerMark(instrument.venue, instrument.underlying, level, terms["vol"])
            found = replace(snapshot, chain=replace(chain, powers=_replaced(chain.powers, unit)))
        case _:
            raise _refused(written, "this contract takes no such mark")
    if unknown := [key for key in terms if key not in known]:
        raise _refused(written, f"unknown {', '.join(unknown)}")
    if not level > 0:
        raise _refused(written, "a mark is above zero")
    return found


def _replaced(marks: tuple[M, ...], new: M) -> tuple[M, ...]:
    others = [mark for mark in marks if (mark.venue, mark.underlying) != (new.venue, new.underlying)]
    return (*others, new)


def _fund(snapshot: MarketSnapshot, symbol: str, level: float, terms: dict[str, float]) -> FundMark:
    if "beta" in terms:
        return FundMark(symbol, level, beta=_beta(symbol, terms))
    if "leverage" in terms:
        return FundMark(symbol, level, leverage=terms["leverage"], accrual=-terms.get("fee", 0.0))
    stated = terms_on(symbol, snapshot.asof.astimezone(MARKET_ZONE).date().isoformat())
    return FundMark(symbol, level, leverage=stated.leverage, accrual=-stated.fee)


def _beta(symbol: str, terms: dict[str, float]) -> float:
    given = [terms[name] for name in _SHRINKAGE if name in terms]
    if not given:
        return terms["beta"]
    if len(given) < len(_SHRINKAGE):
        raise _refused(symbol, f"an estimated beta comes with {', '.join(_SHRINKAGE)}")
    error, bucket, bucket_error = given
    return shrunk(Beta(terms["beta"], error), bucket, bucket_error).beta


def _number(written: str, text: str) -> float:
    plain = text.strip().removesuffix("%")
    try:
        number = float(plain) / (100.0 if text.strip().endswith("%") else 1.0)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise _refused(written, f"{text.strip()!r} is no number")
    return number


def _refused(written: str, why: str) -> InputError:
    return InputError(f"--mark {written!r} refused", why=why, todo=f"write it like {_EXAMPLE}")
