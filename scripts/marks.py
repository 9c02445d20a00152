"""Marks an operator gives by hand, for what the market at hand does not quote."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from adapters.files.book_file import read_instrument
from engine.errors import InputError
from engine.instruments import MARKET_ZONE, Cash, FundShare, Future, Perpetual, PowerPerpetual
from engine.market import FundMark, PerpetualMark, PowerMark
from engine.pricing.etp import terms_on
from engine.risk.pricing_view import PricingView

_EXAMPLE = '"VIXY share=23.4", "perp-v2 WETH perp=2250,funding=10%" or "squeeth WETH squared=0.61,vol=80%"'


def with_marks(view: PricingView, given: Sequence[str]) -> PricingView:
    """
    The view with marks written as `INSTRUMENT=NUMBER[,name=number...]`.

    A fund takes `leverage` and `fee` from its stated terms unless given, or `beta`; a perpetual takes
    `funding` and a power perpetual its normalisation and `vol`, each per year. Raises `InputError` on
    anything else.
    """
    for written in given:
        view = _with_mark(view, written)
    return view


def _with_mark(view: PricingView, written: str) -> PricingView:
    name, _, rest = written.partition("=")
    level_text, *others = rest.split(",")
    level = _number(written, level_text)
    terms = {key.strip(): _number(written, text) for key, _, text in (other.partition("=") for other in others)}
    match read_instrument(name.strip()):
        case Cash() as cash:
            found, refused = replace(view, token_usd={**view.token_usd, cash.currency.code: level}), terms
        case Future(underlying="VIX") as future:
            found, refused = replace(view, vix_futures={**view.vix_futures, future.expiry: level}), terms
        case FundShare() as share:
            mark = _fund(view, share.symbol, level, terms)
            found, refused = (
                replace(view, funds={**view.funds, share.symbol: mark}),
                _left(terms, "leverage", "fee", "beta"),
            )
        case Perpetual() as perp:
            key = perp.venue, perp.underlying
            marked = PerpetualMark(*key, level, terms.get("funding", 0.0))
            found, refused = replace(view, perpetuals={**view.perpetuals, key: marked}), _left(terms, "funding")
        case PowerPerpetual() as power if "vol" in terms:
            key = power.venue, power.underlying
            unit = PowerMark(*key, level, terms["vol"])
            found, refused = replace(view, powers={**view.powers, key: unit}), _left(terms, "vol")
        case _:
            raise _refused(written, "this contract takes no such mark")
    if refused or not level > 0:
        raise _refused(written, f"unknown {', '.join(refused)}" if refused else "a mark is above zero")
    return found


def _fund(view: PricingView, symbol: str, level: float, terms: dict[str, float]) -> FundMark:
    if "beta" in terms:
        return FundMark(symbol, level, beta=terms["beta"])
    if "leverage" in terms:
        return FundMark(symbol, level, leverage=terms["leverage"], accrual=-terms.get("fee", 0.0))
    stated = terms_on(symbol, view.asof.astimezone(MARKET_ZONE).date().isoformat())
    return FundMark(symbol, level, leverage=stated.leverage, accrual=-stated.fee)


def _left(terms: dict[str, float], *known: str) -> dict[str, float]:
    return {key: value for key, value in terms.items() if key not in known}


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
