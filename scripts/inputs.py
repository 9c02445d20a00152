"""A what-if's market, book and policy, each with what was assumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path

from adapters.files.book_file import read_book
from adapters.files.observation import OffchainMarket, demo_day, recorded_day
from engine.errors import InputError
from engine.ledger.earnings import NOTHING, Earnings
from engine.market import MarketSnapshot, OnchainState, OptionChain
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.valuation import PricingView
from engine.risk.view import pricing_view
from scripts.marks import with_marks

_DEMO_DAY = date(2018, 4, 25)
_STABLES = ("USDC", "USDT", "DAI", "sUSD")


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """
    One market, one book and one policy that a question is asked about.

    `assumptions` says in words what was modelled or assumed rather than observed; `session_outer` is USD of
    maximum loss that the folder's desk has opened in outer layers this session (D12), `earned` what it realised
    since its last plan (X13).
    """

    snapshot: MarketSnapshot
    view: PricingView
    book: Book
    policy: Policy
    assumptions: tuple[str, ...]
    session_outer: float = 0.0
    earned: Earnings = NOTHING

    @property
    def chain(self) -> OptionChain:
        """The index options."""
        return self.snapshot.spx


def stage(chain: str = "", book: str = "", folder: str = "", policy: str = "", marks: Sequence[str] = ()) -> Stage:
    """
    The market, book and policy of a question.

    Parameters
    ----------
    chain : an option-chain file; without it the market of `folder`, or else the demo's modelled day
    book : a book file; without it the open book of `folder`, or an empty one
    folder : a desk made by `hedge init`, whose local chain is up
    policy : a policy file; without it that of `folder`, or the default
    marks : what the market does not quote, as `scripts.marks.with_marks` reads it

    Raises `InputError` when both a chain and a folder give a market.
    """
    if folder and chain:
        raise InputError("two markets refused", why="--chain and -C exclude each other", todo="give one of them")
    if folder:
        return _of_folder(Path(folder), book, policy, marks)
    from adapters.files.config import load_policy

    market = recorded_day(Path(chain)) if chain else demo_day(_DEMO_DAY)
    snapshot = with_marks(market.with_chain(_no_chain(market)), marks)
    held = read_book(Path(book)) if book else Book()
    rules = load_policy(Path(policy) if policy else None)
    return Stage(snapshot, pricing_view(snapshot), held, rules, _assumed(snapshot, marks))


def _of_folder(root: Path, book: str, policy: str, marks: Sequence[str]) -> Stage:
    from adapters.files.config import load_policy
    from engine.ledger import balances
    from scripts.session import earned_since, session_outer
    from scripts.workspace import opened

    with opened(root) as (_, desk):
        snapshot = with_marks(desk.observe(), marks)
        entries = desk.journal.entries()
        used, earned = session_outer(desk, snapshot.asof), earned_since(desk, entries, snapshot)
        held = read_book(Path(book)) if book else balances.book(entries)
        rules = load_policy(Path(policy)) if policy else desk.policy
    return Stage(snapshot, pricing_view(snapshot), held, rules, _assumed(snapshot, marks), used, earned)


def _assumed(snapshot: MarketSnapshot, marks: Sequence[str]) -> tuple[str, ...]:
    found = (f"{what}: {how}" for what, how in snapshot.assumptions.items())
    return (*snapshot.modelled, *found, *(f"mark given: {written}" for written in marks))


def _no_chain(market: OffchainMarket) -> OnchainState:
    """Token prices without a chain: stablecoins at par, ether as the market models it."""
    prices = dict.fromkeys(_STABLES, 1.0) | {"ETH": market.eth_usd, "WETH": market.eth_usd}
    return OnchainState(0, 0, "", market.asof.astimezone(UTC), prices, (), (), 0)
