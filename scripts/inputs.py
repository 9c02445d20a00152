"""What a what-if stands on: a chain file with its rates, or a market and a book, each with what was assumed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path

from adapters.files.book_file import read_book
from adapters.files.chain_file import read_chain
from adapters.files.observation import OffchainMarket, demo_day, recorded_day
from adapters.files.series import read_bill_curve
from engine.errors import InputError
from engine.instruments import MARKET_ZONE
from engine.market import Finding, MarketSnapshot, OnchainState, OptionChain, RateCurve, Severity
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.valuation import PricingView
from engine.risk.view import pricing_view
from engine.signals.expiries import parity_curve

_DEMO_DAY = date(2018, 4, 25)
_STABLES = ("USDC", "USDT", "DAI", "sUSD")


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """
    One market, one book and one policy that a question is asked about.

    `assumptions` says in words what was modelled or assumed rather than observed.
    """

    snapshot: MarketSnapshot
    view: PricingView
    book: Book
    policy: Policy
    assumptions: tuple[str, ...]

    @property
    def chain(self) -> OptionChain:
        """The index options."""
        return self.snapshot.spx


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


def stage(chain: str = "", book: str = "", folder: str = "", policy: str = "") -> Stage:
    """
    The market, book and policy of a question.

    Parameters
    ----------
    chain : an option-chain file; without it the market of `folder`, or else the demo's modelled day
    book : a book file; without it the open book of `folder`, or an empty one
    folder : a desk made by `hedge init`, whose local chain is up
    policy : a policy file; without it that of `folder`, or the default

    Raises `InputError` when both a chain and a folder give a market.
    """
    if folder and chain:
        raise InputError("two markets refused", why="--chain and -C exclude each other", todo="give one of them")
    if folder:
        return _of_folder(Path(folder), book, policy)
    from adapters.files.config import load_policy

    market = recorded_day(Path(chain)) if chain else demo_day(_DEMO_DAY)
    snapshot = market.with_chain(_no_chain(market))
    held = read_book(Path(book)) if book else Book()
    rules = load_policy(Path(policy) if policy else None)
    assumed = (*market.modelled, *(f"{what}: {how}" for what, how in market.assumptions.items()))
    return Stage(snapshot, pricing_view(snapshot), held, rules, assumed)


def _of_folder(root: Path, book: str, policy: str) -> Stage:
    from adapters.files.config import load_policy
    from engine.ledger import balances
    from scripts.workspace import opened

    with opened(root) as (_, desk):
        snapshot = desk.observe()
        held = read_book(Path(book)) if book else balances.book(desk.journal.entries())
        rules = load_policy(Path(policy)) if policy else desk.policy
    assumed = (*snapshot.modelled, *(f"{what}: {how}" for what, how in snapshot.assumptions.items()))
    return Stage(snapshot, pricing_view(snapshot), held, rules, assumed)


def _no_chain(market: OffchainMarket) -> OnchainState:
    """Token prices without a chain: stablecoins at par, ether as the market models it."""
    prices = dict.fromkeys(_STABLES, 1.0) | {"ETH": market.eth_usd, "WETH": market.eth_usd}
    return OnchainState(0, 0, "", market.asof.astimezone(UTC), prices, (), (), 0)


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
