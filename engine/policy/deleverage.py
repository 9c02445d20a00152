"""What mends a loan whose health is short: idle coins first, then its debt out of its own collateral (D17, S30)."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.instruments import LendingDebt, LendingSupply
from engine.market import Floats
from engine.money import Currency
from engine.policy.funding import idle_tokens, supply_room
from engine.policy.settings import Policy
from engine.positions import Book, Sleeve
from engine.pricing.health import HealthBand, health_band
from engine.risk.limits import LimitSet, loans_by_scenario
from engine.risk.liquidity import Funding, dues, threshold_of
from engine.risk.moves import token_usd
from engine.risk.pricing_view import STABLES, PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values

_LEFT = 1.02
"""The health a withdrawal may leave inside a batch: prices move before it is sent, and at 1 it would revert."""

_MOST_ROUNDS = 8
_ENOUGH = 1e-9
_CENT = 0.01
_LEAST = 1.0  # USD: a round for less costs more gas than it mends


@dataclass(frozen=True, slots=True)
class Round:
    """Tokens of `code` taken out of the loan (0: idle ones) of which the swap may spend all, for `repaid` of debt."""

    code: str
    withdrawn: float
    spent: float
    repaid: float


@dataclass(frozen=True, slots=True)
class Relief:
    """
    What one loan needs, in the order it is done; amounts are tokens.

    `health` is the factor now and `stressed` the worst after the joint two-sigma stress, before and `after` in pairs.
    `repay` is paid out of idle coins, `supply` are idle tokens added as collateral, `rounds` repay out of collateral.
    `lacking` is USD of debt that still has to be repaid by other means.
    """

    market: str
    asset: Currency
    health: float
    stressed: float
    after: tuple[float, float]
    repay: float = 0.0
    supply: Mapping[str, float] = field(default_factory=dict)
    rounds: tuple[Round, ...] = ()
    lacking: float = 0.0

    @property
    def band(self) -> HealthBand:
        """What the factor as it stands asks for."""
        return health_band(self.health)

    @property
    def used(self) -> dict[str, float]:
        """Idle tokens it takes, by code."""
        taken = dict(self.supply)
        taken[self.asset.code] = taken.get(self.asset.code, 0.0) + self.repay
        for one in self.rounds:
            if not one.withdrawn:
                taken[one.code] = taken.get(one.code, 0.0) + one.spent
        return taken

    @property
    def words(self) -> str:
        """The shortfall, what is done about it, where that leads, and what else it takes."""
        urgent = {HealthBand.EMERGENCY: "EMERGENCY: ", HealthBand.LIQUIDATABLE: "EMERGENCY, may be liquidated now: "}
        done = [f"repay {self.repay:,.2f} {self.asset}"] if self.repay else []
        done += [f"supply {tokens:,.2f} {code}" for code, tokens in self.supply.items()]
        freed = sum(one.repaid for one in self.rounds)
        if freed:
            sources = ", ".join(sorted({one.code for one in self.rounds}))
            done.append(f"repay {freed:,.2f} {self.asset} out of {sources}")
        led = f"; then {self.after[0]:.2f} and {self.after[1]:.2f}" if done else ""
        short = f"; bring {self.lacking:,.0f} USD to repay the rest, or wait" if self.lacking >= 1.0 else ""
        return (
            f"{urgent.get(self.band, '')}the loan at {self.market} has health {self.health:.2f}, {self.stressed:.2f} "
            f"after stress; no new risk: {', '.join(done) or 'nothing idle can mend it'}{led}{short} (D17, S30)"
        )


def mending(
    book: Book, view: PricingView, scenarios: Scenarios, limits: LimitSet, funding: Funding, policy: Policy
) -> tuple[Relief, ...]:
    """The reliefs of a book out of what lies idle in its vault; parameters as of `reliefs`."""
    markets = {p.instrument.market for p in book if isinstance(p.instrument, LendingDebt)}
    room = {market: supply_room(market, book, view, limits) for market in markets}
    return reliefs(book, idle_tokens(book, view), view, scenarios, funding, policy, room)


def reliefs(
    book: Book,
    idle: Mapping[str, float],
    view: PricingView,
    scenarios: Scenarios,
    funding: Funding,
    policy: Policy,
    room: Mapping[str, float],
) -> tuple[Relief, ...]:
    """
    One for each loan whose stressed factor is under its limit, the least healthy first; empty where none is. Debts to
    one market stand on the same collateral: each is mended, by code, for what those before it left short.

    The layers, each no larger than the shortfall needs: idle coins of the debt repay it; other idle collateral is
    supplied; and where the factor as it stands asks for less debt (below 1.25), stablecoins, idle ones first and then
    the loan's own, are swapped and repay it, as many rounds as withdrawals allow. Stablecoins that the sleeve's own
    dues need stay idle (D13).

    Parameters
    ----------
    idle : tokens in the vault by code
    room : USD more that may be supplied to each market (S55)

    Source
    ------
    D17; S30.
    """
    left, owing = _beyond_dues(book, idle, view, funding, policy), _owing(book)
    pools = (_Pool(book, market, view, scenarios, funding, policy) for market in owing)
    found: list[Relief] = []
    for pool in sorted(pools, key=lambda pool: (pool.health, pool.market)):
        found += _mended(pool, owing[pool.market], left, room.get(pool.market, 0.0))
    return tuple(found)


def _owing(book: Book) -> dict[str, list[Currency]]:
    """What is owed to each market, by code."""
    debts = [p.instrument for p in book if isinstance(p.instrument, LendingDebt) and p.quantity]
    return {
        market: sorted({debt.asset for debt in debts if debt.market == market}, key=lambda asset: asset.code)
        for market in {debt.market for debt in debts}
    }


def _beyond_dues(
    book: Book, idle: Mapping[str, float], view: PricingView, funding: Funding, policy: Policy
) -> dict[str, float]:
    """Idle tokens less the stablecoins that keep the sleeve's quick ratio, those of no debt kept back first."""
    due = dues(book, funding, 0.0)[Sleeve.DEFI].usd * policy.limits.quick_ratio_min / (1.0 - funding.peg_haircut)
    owed = {p.instrument.asset.code for p in book if isinstance(p.instrument, LendingDebt)}
    left = dict(idle)
    for code in sorted(STABLES & left.keys(), key=lambda code: (code in owed, code)):
        kept = min(left[code], (due + _CENT) / view.token_usd[code]) if due > 0 else 0.0
        left[code], due = left[code] - kept, due - kept * view.token_usd[code]
    return left


def _mended(pool: "_Pool", assets: Sequence[Currency], idle: dict[str, float], room: float) -> list[Relief]:
    """
    The reliefs of one market's debts, each for what those before it left short; `idle` keeps what none of them took.

    The last one says what the market still lacks, for all of them.
    """
    found: list[Relief] = []
    opening = pool.health, pool.stressed
    for asset in assets:
        if pool.short > _ENOUGH:
            found.append(_relief(_Loan(pool, asset), opening, idle, room))
            room -= sum(tokens * pool.price(code) for code, tokens in found[-1].supply.items())
            for code, tokens in found[-1].used.items():
                idle[code] = idle.get(code, 0.0) - tokens
    before = [replace(one, lacking=0.0) for one in found[:-1] if one.rounds or any(one.used.values())]
    return [*before, *found[-1:]]


def _relief(loan: "_Loan", opening: tuple[float, float], idle: Mapping[str, float], room: float) -> Relief:
    pool, left = loan.pool, dict(idle)
    repay = loan.repay(left.pop(loan.asset.code, 0.0))
    supply: dict[str, float] = {}
    for code in sorted(left, key=lambda code: (code not in STABLES, code)):
        if (tokens := pool.supply(code, min(left[code], room / pool.price(code)))) > 0:
            supply[code], left[code] = tokens, left[code] - tokens
            room -= tokens * pool.price(code)
    rounds: list[Round] = []
    if health_band(opening[0]) not in (HealthBand.OPEN, HealthBand.NO_NEW_DEBT):
        rounds += [one for code in sorted(STABLES & left.keys()) if (one := loan.swap(code, left[code]))]
        while pool.short > _ENOUGH and len(rounds) < _MOST_ROUNDS and (one := loan.unwind()):
            rounds.append(one)
    after = pool.health, pool.stressed
    return Relief(pool.market, loan.asset, *opening, after, repay, supply, tuple(rounds), loan.still_to_repay)


class _Pool:
    """
    One lending market as its loans are mended: what secures them, what is owed, what it still holds and can pay out.

    `secured` and `owed` are USD now (first element) and in every scenario; `held` are supplied tokens, over all
    venues, and `free` those the market can pay out.
    """

    def __init__(
        self, book: Book, market: str, view: PricingView, scenarios: Scenarios, funding: Funding, policy: Policy
    ) -> None:
        self.market, self.book, self.view, self.funding = market, book, view, funding
        self.cells = Scenarios.now().and_then(scenarios)
        self.secured, self.owed = loans_by_scenario(book, view, self.cells, funding.thresholds)[market]
        self.target, self.slippage = policy.limits.health_factor_min, float(policy.costs.slippage)
        self.held: defaultdict[Currency, float] = defaultdict(float)
        for position in book:
            if isinstance(position.instrument, LendingSupply) and position.instrument.market == market:
                self.held[position.instrument.currency] += float(position.quantity)
        self.free = {code: tokens for (name, code), tokens in funding.free.items() if name == market}

    @property
    def health(self) -> float:
        """The factor as it stands."""
        return float(self._factors()[0])

    @property
    def stressed(self) -> float:
        """The worst factor."""
        return float(self._factors().min())

    @property
    def short(self) -> float:
        """USD of collateral at its thresholds that the worst scenario lacks; not positive where the limit holds."""
        return float(self._short().max())

    def price(self, code: str) -> float:
        """USD of a token now."""
        return self.view.token_usd[code]

    def movable(self, code: str) -> float:
        """Tokens that one transaction may move."""
        return self.funding.cap / self.price(code)

    def supply(self, code: str, tokens: float) -> float:
        """Add idle collateral; returns how many tokens it took, none that do not secure debt here."""
        counts = self.funding.thresholds.get((self.market, code), 0.0)
        if not (counts > 0 and tokens > 0):
            return 0.0
        worth = token_usd(code, self.view, self.cells) * counts
        taken = min(self.needed(worth), tokens)
        self.secured = self.secured + taken * worth
        return taken

    def withdraw(self, currency: Currency, tokens: float, secures: Floats) -> None:
        """Take supplied tokens out, each of which secures so many USD."""
        self.held[currency] -= tokens
        self.free[currency.code] -= tokens
        self.secured = self.secured - tokens * secures

    def needed(self, gain: Floats) -> float:
        """Tokens that mend every scenario, where each token gains so much; without bound where one gains nothing."""
        short = np.maximum(self._short(), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(short > _ENOUGH, np.where(gain > 0, short / gain, np.inf), 0.0)
        return float(each.max())

    def _factors(self) -> Floats:
        return np.divide(self.secured, self.owed, out=np.full_like(self.owed, np.inf), where=self.owed > _ENOUGH)

    def _short(self) -> Floats:
        return self.target * self.owed - self.secured


class _Loan:
    """What is owed of one token to a pool."""

    def __init__(self, pool: _Pool, asset: Currency) -> None:
        self.pool, self.asset = pool, asset
        owed = LendingDebt(pool.market, asset)
        self._unit = unit_values(owed, pool.view, pool.cells.as_debtor())
        self._debt = abs(pool.book.held(owed).to_float())

    @property
    def still_to_repay(self) -> float:
        """USD of debt whose repayment would mend what is left."""
        return self.pool.needed(self.pool.target * self._unit) * float(self._unit[0])

    def repay(self, tokens: float) -> float:
        """Repay out of idle coins; returns how many it took."""
        taken = min(self.pool.needed(self.pool.target * self._unit), tokens, self._debt)
        self._paid_back(taken)
        return taken

    def swap(self, code: str, tokens: float) -> Round | None:
        """Repay out of idle stablecoins of another kind."""
        pool, buys = self.pool, self._buys(code)
        needed = pool.needed(pool.target * buys * self._unit)
        return self._done(code, 0.0, min(needed, tokens, self._debt / buys, pool.movable(code)), buys)

    def unwind(self) -> Round | None:
        """Repay out of the stablecoin of which most is supplied, as much as one withdrawal allows."""
        pool = self.pool
        stable = [currency for currency in pool.held if currency.code in STABLES]
        best: Round | None = None
        for currency in sorted(stable, key=lambda currency: -pool.held[currency] * pool.price(currency.code)):
            best = best or self._unwound(currency)
        return best

    def _unwound(self, currency: Currency) -> Round | None:
        pool, code, buys = self.pool, currency.code, self._buys(currency.code)
        supply = LendingSupply(pool.market, currency)
        counts = threshold_of(supply, pool.funding.thresholds)
        secures = unit_values(supply, pool.view, pool.cells) * counts
        cushion = float(pool.secured[0] - _LEFT * pool.owed[0])
        taken = min(
            pool.needed(pool.target * buys * self._unit - secures),
            pool.held[currency],
            pool.free.get(code, 0.0),
            pool.movable(code),
            self._debt / buys,
            max(cushion, 0.0) / float(secures[0]) if counts > 0 else math.inf,
        )
        if taken * pool.price(code) < _LEAST:
            return None
        pool.withdraw(currency, taken, secures)
        return self._done(code, taken, taken, buys)

    def _done(self, code: str, withdrawn: float, spent: float, buys: float) -> Round | None:
        if spent * self.pool.price(code) < _LEAST:
            return None
        self._paid_back(spent * buys)
        return Round(code, withdrawn, spent, spent * buys)

    def _buys(self, code: str) -> float:
        """Tokens of the debt that one of these surely buys: at par of the two prices, less slippage."""
        if code == self.asset.code:
            return 1.0
        return self.pool.price(code) * (1.0 - self.pool.slippage) / float(self._unit[0])

    def _paid_back(self, tokens: float) -> None:
        self._debt -= tokens
        self.pool.owed = np.maximum(self.pool.owed - tokens * self._unit, 0.0)
