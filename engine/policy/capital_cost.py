"""What a desk's capital costs: the next loan, every debt on chain, and equity by its beta (D14)."""

import math

from engine.errors import MissingQuote
from engine.instruments import LendingDebt
from engine.ledger.wacc import Capm, ChainLoan, Source, Wacc, marginal_cost, wacc
from engine.market import LendingMarket, MarketSnapshot
from engine.policy.pools import surprised
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, unit_values


def loan_terms(debt_usd: float, market: LendingMarket, policy: Policy) -> ChainLoan:
    """
    What a loan of `debt_usd` costs besides its rate, by the policy's assumptions (D14).

    Losses of the protocol are expected on what is posted, and more so while its governance may change a parameter
    before the loan can be left (S36, S55).
    """
    loop = policy.loop
    return ChainLoan(
        years=loop.horizon_days / 365.0,
        transactions=2.0,
        gas_usd=float(loop.gas_usd) / 2.0,
        ramp_in=float(loop.ramp_fee),
        ramp_out=float(loop.ramp_fee),
        liquidation_probability=float(loop.liquidation_probability),
        close_factor=0.5,
        penalty=float(loop.liquidation_penalty),
        hazard=float(loop.protocol_loss) + float(loop.governance_loss) * surprised(market, policy),
        loss_given_default=1.0,
        collateral_usd=debt_usd / market.ltv,
    )


def loan_cost(market: LendingMarket, debt_usd: float, policy: Policy) -> float:
    """All-in effective annual rate of the next `debt_usd` from this market (D14, D16)."""
    extra, tax = max(debt_usd, 1.0), float(policy.capital.tax)
    return marginal_cost(
        market,
        loan_terms(0.0, market, policy),
        loan_terms(extra, market, policy),
        debt_usd=0.0,
        extra_usd=extra,
        tax=tax,
    ).total


def cost_of_capital(snapshot: MarketSnapshot, book: Book, view: PricingView, policy: Policy) -> Wacc:
    """Equity by the capital asset pricing model and every on-chain debt at its whole cost (D14)."""
    now = Scenarios.now()
    equity = float(book_values(book, view, now)[0])
    debts = []
    for position in book:
        instrument = position.instrument
        if isinstance(instrument, LendingDebt):
            owed = -float(position.quantity) * float(unit_values(instrument, view, now)[0])
            market = _lender(instrument, snapshot)
            terms = loan_terms(owed, market, policy)
            debts.append(
                Source(instrument.id, owed, terms.cost(market.borrow_rate, owed, tax=float(policy.capital.tax)))
            )
    bills = math.expm1(snapshot.rates.rate(0.25))
    return wacc(Capm(bills, float(policy.capital.equity_premium), policy.capital.beta_unlevered), equity, debts)


def _lender(debt: LendingDebt, snapshot: MarketSnapshot) -> LendingMarket:
    """The terms of the market that is owed, of the token owed where it states them."""
    stated = {row.asset: row for row in snapshot.chain.lending if row.name == debt.market}
    if not stated:
        known = ", ".join(sorted({row.name for row in snapshot.chain.lending})) or "none"
        raise MissingQuote(
            f"no terms for {debt.id}",
            why=f"the lending market {debt.market} is not among those observed ({known}), so its cost is not known",
            todo="ask with -C of a desk whose chain has it, or leave the loan out of the book",
        )
    return stated.get(debt.asset.code, next(iter(stated.values())))


def debt_rate(capital: Wacc) -> float:
    """K of debt, decimal per year: the finance rate of MIRR; the whole cost of capital where nothing is owed."""
    owed = [(source, weight) for source, weight in zip(capital.sources[1:], capital.weights[1:], strict=True) if weight]
    weights = sum(weight for _, weight in owed)
    return sum(weight * source.cost.total for source, weight in owed) / weights if weights else capital.rate
