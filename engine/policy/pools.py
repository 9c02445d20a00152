"""Lending markets with what their chain does not say: protocol, oracle, recourse, and how fast parameters change."""

from collections.abc import Sequence
from dataclasses import replace

from engine.market import LendingMarket, MarketSnapshot
from engine.policy.money_text import PoolText
from engine.policy.settings import Policy

_HOURS_A_DAY = 24.0


def stated(snapshot: MarketSnapshot, pools: Sequence[PoolText]) -> MarketSnapshot:
    """The snapshot with the policy's word on each lending market it names (S36, S45, S55)."""
    said = {pool.name: pool for pool in pools}
    lending = tuple(_with(market, said.get(market.name)) for market in snapshot.chain.lending)
    return replace(snapshot, chain=replace(snapshot.chain, lending=lending))


def surprised(market: LendingMarket, policy: Policy) -> float:
    """
    Share of the time that leaving the loan takes in which the market's governance may already have changed it.

    Dollars come back from the broker in the ramp's days; a change that waits as long surprises nobody, one that
    waits for nothing may come at any moment of it (S36).
    """
    leaving = _HOURS_A_DAY * policy.loop.ramp_days
    return max(1.0 - market.change_delay_hours / leaving, 0.0)


def unfit(market: LendingMarket, policy: Policy) -> str:
    """Why nothing may be drawn from a market on its legal terms, empty if something may (S45)."""
    if policy.loop.recourse or market.ring_fenced:
        return ""
    if market.recourse is None:
        return f"{market.name} says neither with nor without recourse (S45)"
    if market.recourse:
        return f"{market.name} has recourse to the margin account (S45)"
    return f"a default elsewhere calls the loan of {market.name} (S45)"


def _with(market: LendingMarket, said: PoolText | None) -> LendingMarket:
    if said is None:
        return market
    return replace(
        market,
        protocol=said.protocol,
        oracle=said.oracle,
        recourse=said.recourse,
        cross_default=said.cross_default,
        change_delay_hours=said.change_delay_hours,
    )
