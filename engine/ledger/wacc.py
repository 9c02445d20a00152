"""The weighted cost of capital across broker, credit line and chain, every part of it in sight (D14)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from engine.errors import InputError
from engine.market import LendingMarket

SECONDS = 365 * 86_400
"""Aave compounds a borrow APR every second of a 365-day year."""


@dataclass(frozen=True, slots=True)
class Cost:
    """
    Cost k of one source of capital, taken apart; each a decimal per year, positive = we pay.

    `rate` after tax and incentives, `gas` of drawing, moving and repaying, `ramp` into and out of
    dollars, `liquidation`, `protocol` and `peg` are expected losses, `mev` what searchers take, `commitment`
    the fee on what is undrawn.
    """

    rate: float
    gas: float = 0.0
    ramp: float = 0.0
    liquidation: float = 0.0
    protocol: float = 0.0
    peg: float = 0.0
    mev: float = 0.0
    commitment: float = 0.0

    @property
    def total(self) -> float:
        """The whole of k."""
        return math.fsum(getattr(self, field.name) for field in fields(self))


COMPONENTS = frozenset(field.name for field in fields(Cost))
"""Names of the cost items that k bears."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of capital: market value in USD, >= 0, and what it costs."""

    name: str
    usd: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class Wacc:
    """The blended cost, decimal per year, with every source's weight; weights sum to 1."""

    rate: float
    sources: tuple[Source, ...]
    weights: tuple[float, ...]
    beta_levered: float

    def parts(self) -> Mapping[str, float]:
        """Each component over all sources, weighted; sums to `rate`."""
        return {
            name: math.fsum(w * getattr(s.cost, name) for w, s in zip(self.weights, self.sources, strict=True))
            for name in (field.name for field in fields(Cost))
        }


@dataclass(frozen=True, slots=True)
class Capm:
    """
    What equity asks for: `risk_free` and `premium` are decimals per year.

    `beta_debt` is zero unless lenders bear market risk.
    """

    risk_free: float
    premium: float
    beta_unlevered: float
    beta_debt: float = 0.0

    def levered(self, debt: float, equity: float) -> float:
        """beta_L = beta_U + (beta_U - beta_D) D / E, on market values in USD."""
        if not equity > 0.0:
            raise InputError(f"equity of {equity:,.2f} USD", why="it has no cost of capital", todo="reduce debt first")
        return self.beta_unlevered + (self.beta_unlevered - self.beta_debt) * debt / equity

    def cost(self, debt: float, equity: float) -> float:
        """k_e = risk-free + levered beta times the equity premium."""
        return self.risk_free + self.levered(debt, equity) * self.premium


@dataclass(frozen=True, slots=True)
class ChainLoan:
    """
    What an on-chain loan costs besides its rate, over a holding time of `years`.

    Parameters
    ----------
    years : expected holding time, ACT/365F, > 0
    incentives, incentive_haircut : rewards as a decimal per year, and the share of them not believed
    transactions, gas_usd : open + close + expected rebalances, and the gas of each
    ramp_in, ramp_out : one-way cost of turning tokens into dollars and back, decimals
    liquidation_probability : of a health factor below 1 within `years`
    close_factor, penalty : share of the debt a liquidator may repay, and his bonus on it
    hazard, loss_given_default : protocol failures per year, and the share of collateral lost in one
    collateral_usd : what is posted for this loan
    peg_loss_usd : expected loss on that collateral to depegs within `years`
    mev : decimal per year (`mev_funding`)
    smallest_usd : debt below which costs per dollar stop growing, so that k stays finite as D -> 0
    """

    years: float
    incentives: float = 0.0
    incentive_haircut: float = 0.5
    transactions: float = 0.0
    gas_usd: float = 0.0
    ramp_in: float = 0.0
    ramp_out: float = 0.0
    liquidation_probability: float = 0.0
    close_factor: float = 0.5
    penalty: float = 0.0
    hazard: float = 0.0
    loss_given_default: float = 1.0
    collateral_usd: float = 0.0
    peg_loss_usd: float = 0.0
    mev: float = 0.0
    smallest_usd: float = 1_000.0

    def cost(self, borrow_apr: float, debt_usd: float, *, tax: float = 0.0) -> Cost:
        """
        The whole k of `debt_usd` borrowed at `borrow_apr` (APR, compounded each second).

        Interest on the collateral is income of that asset and never lowers k.
        """
        debt = max(debt_usd, self.smallest_usd)
        kept = self.incentives * (1.0 - self.incentive_haircut)
        return Cost(
            rate=(effective(borrow_apr) - kept) * (1.0 - tax),
            gas=self.transactions * self.gas_usd / (debt * self.years),
            ramp=(self.ramp_in + self.ramp_out) / self.years,
            liquidation=self.liquidation_probability * self.close_factor * self.penalty / self.years,
            protocol=self.hazard * self.loss_given_default * self.collateral_usd / debt,
            peg=self.peg_loss_usd / (debt * self.years),
            mev=self.mev,
        )


class Evidence(StrEnum):
    """Whether a figure was measured on our own transactions or assumed."""

    MEASURED = "measured"
    ASSUMED = "assumed"


def effective(apr: float, periods: int = SECONDS) -> float:
    """
    Effective annual rate of an APR compounded `periods` times a year.

    >>> round(effective(0.05), 6)
    0.051271
    """
    return math.expm1(periods * math.log1p(apr / periods))


def line_cost(rate: float, *, drawn_usd: float, limit_usd: float, commitment: float = 0.0, tax: float = 0.0) -> Cost:
    """
    The k of a broker debit or a credit line: rate after tax, and the commitment fee on the undrawn part.

    Parameters
    ----------
    rate, commitment : effective, decimals per year
    drawn_usd, limit_usd : the fee on what is undrawn is borne by what is drawn
    """
    undrawn = max(limit_usd - drawn_usd, 0.0)
    return Cost(rate=rate * (1.0 - tax), commitment=commitment * undrawn / drawn_usd if drawn_usd > 0 else 0.0)


def wacc(capm: Capm, equity_usd: float, debts: Sequence[Source]) -> Wacc:
    """
    Sum of weight times k over equity and every debt, at market values.

    Parameters
    ----------
    equity_usd : > 0
    debts : all interest-bearing debt on and off chain; any of them may be zero

    >>> capm = Capm(risk_free=0.042, premium=0.05, beta_unlevered=0.42)
    >>> chain = Source("chain", 200_000, Cost(rate=0.055, gas=0.004, ramp=0.006))
    >>> round(wacc(capm, 700_000, [chain, Source("line", 100_000, Cost(rate=0.065))]).rate, 4)
    0.0699
    """
    if bad := [s.name for s in debts if not (math.isfinite(s.usd) and s.usd >= 0.0)]:
        raise InputError(f"debt of {bad}", why="it is negative or not finite", todo="state debts as positive USD")
    debt = math.fsum(s.usd for s in debts)
    sources = (Source("equity", equity_usd, Cost(rate=capm.cost(debt, equity_usd))), *debts)
    weights = tuple(s.usd / (equity_usd + debt) for s in sources)
    rate = math.fsum(w * s.cost.total for w, s in zip(weights, sources, strict=True))
    return Wacc(rate, sources, weights, capm.levered(debt, equity_usd))


def borrow_apr(market: LendingMarket, extra_tokens: float = 0.0) -> float:
    """
    APR after `extra_tokens` more are borrowed, by the market's two-slope model.

    R = base + s1 U / U_opt up to the kink, + s2 (U - U_opt) / (1 - U_opt) beyond it, where U is the share
    of supplied tokens lent out; its `utilisation` and `liquidity` say how many tokens there are.

    Source: Aave, "Borrow interest rate"; D14.
    """
    supplied = market.liquidity / (1.0 - market.utilisation) if market.utilisation < 1.0 else math.inf
    used = market.utilisation + (extra_tokens / supplied if supplied > 0.0 else math.inf)
    if extra_tokens > market.liquidity or not 0.0 <= used <= 1.0:
        raise InputError(
            f"borrowing {extra_tokens:,.2f} {market.asset} more",
            why=f"{market.name} has {market.liquidity:,.2f} to lend",
            todo="borrow less",
        )
    below = market.slope1 * min(used, market.kink) / market.kink
    above = market.slope2 * max(used - market.kink, 0.0) / (1.0 - market.kink)
    return market.base_rate + below + above


def marginal_cost(
    market: LendingMarket,
    now: ChainLoan,
    after: ChainLoan,
    *,
    debt_usd: float,
    extra_usd: float,
    price: float = 1.0,
    tax: float = 0.0,
) -> Cost:
    """
    The k of the next `extra_usd` dollars: the whole cost after less the whole cost now, over what is drawn.

    Our own draw raises utilisation and with it the rate on all we owe, so this is above the average k
    past the kink. It is what the loop's gate compares with (D16).

    Parameters
    ----------
    now, after : the loan's other terms before and after (more collateral, more transactions)
    debt_usd : owed already, included in the market's utilisation, >= 0
    extra_usd : > 0
    price : USD per token of the debt
    """
    if not extra_usd > 0.0 or debt_usd < 0.0:
        raise InputError(
            f"marginal cost of {extra_usd:,.2f} USD on {debt_usd:,.2f} USD",
            why="the draw must be positive and the debt not negative",
            todo="pass positive USD",
        )
    before = now.cost(borrow_apr(market), debt_usd, tax=tax)
    following = after.cost(borrow_apr(market, extra_usd / price), debt_usd + extra_usd, tax=tax)
    total = debt_usd + extra_usd
    return Cost(
        **{
            name: (getattr(following, name) * total - getattr(before, name) * debt_usd) / extra_usd
            for name in (field.name for field in fields(Cost))
        }
    )


def mev_funding(
    leakages_usd: Sequence[float], *, debt_usd: float, years: float, assumed: float, needed: int = 30
) -> tuple[float, Evidence]:
    """
    What searchers took from the transactions that draw, move and repay a loan, decimal per year (D14b).

    Parameters
    ----------
    leakages_usd : per transaction, mark-out less pool fee less own impact; positive = lost, negative = rebate
    debt_usd, years : average debt, and the time the transactions span
    assumed : used until there are `needed` transactions
    """
    if len(leakages_usd) < needed:
        return assumed, Evidence.ASSUMED
    if not (debt_usd > 0.0 and years > 0.0):
        raise InputError(
            f"MEV funding of {debt_usd:,.2f} USD over {years} years",
            why="a rate needs debt and time",
            todo="measure over the time the loan was open",
        )
    return math.fsum(leakages_usd) / (debt_usd * years), Evidence.MEASURED


def without(cost: Cost, *items: str) -> Cost:
    """`cost` less the named components, for when the flows bear them instead."""
    return replace(cost, **dict.fromkeys(items, 0.0))
