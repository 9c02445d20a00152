"""What leaves the sleeve where its hard cap is broken: coins, and collateral that no debt needs (X05)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.instruments import LendingSupply
from engine.policy.priority import SleeveCaps, SleeveState, read_sleeve
from engine.policy.settings import Policy
from engine.positions import Book, Sleeve
from engine.risk.liquidity import Funding, withdrawable
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import STABLES, book_values


@dataclass(frozen=True, slots=True)
class SleeveCut:
    """
    The reduction that a hard breach forces.

    `usd` is to leave the sleeve, `lacking` of it nothing can be sent for now. `withdraw` are tokens by (market,
    code) that come back from lending first, `send` tokens by code that go to the off-ramp.
    """

    share: float
    usd: float
    withdraw: Mapping[tuple[str, str], float] = field(default_factory=dict)
    send: Mapping[str, float] = field(default_factory=dict)
    lacking: float = 0.0

    @property
    def words(self) -> str:
        """The breach and what is done about it."""
        short = f", {self.lacking:,.0f} USD of it not liquid now" if self.lacking >= 1.0 else ""
        return (
            f"the sleeve is {self.share:.1%} of NAV, above its hard cap: {self.usd:,.0f} USD to leave it{short} (X05)"
        )


def sleeve_cut(
    book: Book, idle: Mapping[str, float], view: PricingView, funding: Funding, policy: Policy
) -> SleeveCut | None:
    """
    What to move out of the sleeve, None while it keeps its hard cap.

    Idle stablecoins go first, then what lending can pay back with its health factor kept, then other idle coins.
    What travels to the broker already counts as moved.

    Parameters
    ----------
    idle : tokens of the vault that nothing else of this decision spends, by code

    Source: S39, X05.
    """
    now = Scenarios.now()
    nav, travelling, on_chain = (
        float(book_values(part, view, now)[0]) for part in (book, book.of(Sleeve.TRANSIT), book.of(Sleeve.DEFI))
    )
    sleeve, limits = travelling + on_chain, policy.limits
    if not (sleeve > 0 and nav > 0):
        return None
    caps = SleeveCaps(float(limits.sleeve_target), float(limits.sleeve_cap))
    found = read_sleeve(sleeve, nav, exit_cost=float(policy.loop.ramp_fee), caps=caps)
    if found.state is not SleeveState.HARD:
        return None
    left = usd = max(found.reduce_by - travelling, 0.0)
    send: dict[str, float] = {}
    withdraw: dict[tuple[str, str], float] = {}
    for code, tokens, market in _sources(book, idle, view, funding):
        price = view.token_usd[code]
        moved = min(tokens, left / price)
        if moved > 0:
            send[code] = send.get(code, 0.0) + moved
            left -= moved * price
            if market:
                withdraw[market, code] = withdraw.get((market, code), 0.0) + moved
    return SleeveCut(found.share, usd, withdraw, send, max(left, 0.0))


def _sources(
    book: Book, idle: Mapping[str, float], view: PricingView, funding: Funding
) -> list[tuple[str, float, str]]:
    """Token, how many, and the market they must be withdrawn from, in the order they leave."""
    stable = [(code, tokens, "") for code, tokens in sorted(idle.items()) if code in STABLES]
    lent = [
        (position.instrument.currency.code, usd / view.token_usd[position.instrument.currency.code], market)
        for position, usd in withdrawable(book.of(Sleeve.DEFI), view, funding)
        if isinstance(position.instrument, LendingSupply) and (market := position.instrument.market)
    ]
    other = [(code, tokens, "") for code, tokens in sorted(idle.items()) if code not in STABLES]
    return [*stable, *lent, *other]
