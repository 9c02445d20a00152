"""How much of the sleeve stands on one protocol, one price oracle, one chain (S55, D22)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.instruments import (
    Cash,
    Instrument,
    LendingDebt,
    LendingSupply,
    LiquidityRange,
    Perpetual,
    PowerPerpetual,
    VanillaOption,
    VaultShare,
)
from engine.positions import Position, Sleeve
from engine.risk.pricing_view import PricingView
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import unit_values


class Stands(StrEnum):
    """What a position may stand on and fall with."""

    PROTOCOL = "protocol"
    ORACLE = "oracle"
    CHAIN = "chain"


THE_CHAIN = "the vault's chain"
"""Everything of the sleeve that is not on its way stands on the one chain the vault is on."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """USD, gross of debt, that would be lost with one protocol, oracle or chain."""

    on: Stands
    name: str
    usd: float


def exposures(positions: Iterable[Position], view: PricingView) -> tuple[Exposure, ...]:
    """
    What the sleeve has on each protocol, oracle and chain, the largest first of each kind.

    Collateral counts whole, since it is lost whole; a debt is nothing one can lose there. Coins on their way to the
    broker stand on no contract.
    """
    now = Scenarios.now()
    found: defaultdict[tuple[Stands, str], float] = defaultdict(float)
    for position in positions:
        if position.sleeve is not Sleeve.DEFI or isinstance(position.instrument, LendingDebt):
            continue
        usd = abs(float(position.quantity)) * float(unit_values(position.instrument, view, now)[0])
        for on, name in stands_on(position.instrument, view).items():
            found[on, name] += usd
    ordered = sorted(found.items(), key=lambda one: -one[1])
    return tuple(Exposure(on, name, usd) for (on, name), usd in ordered)


def stands_on(instrument: Instrument, view: PricingView) -> Mapping[Stands, str]:
    """
    The protocol, oracle and chain an instrument of the sleeve stands on.

    A market that names no protocol or oracle is one of its own.
    """
    match instrument:
        case Cash():
            return {Stands.CHAIN: THE_CHAIN}
        case LendingSupply() | LendingDebt():
            row = next((row for (name, _), row in view.lending.items() if name == instrument.market), None)
            protocol = (row and row.protocol) or instrument.market
            oracle = (row and row.oracle) or instrument.market
        case VanillaOption():
            protocol = oracle = instrument.root
        case Perpetual() | PowerPerpetual():
            protocol = oracle = instrument.venue
        case LiquidityRange():
            protocol = oracle = instrument.pool
        case VaultShare():
            protocol = oracle = instrument.symbol
        case _:
            return {}
    return {Stands.PROTOCOL: protocol, Stands.ORACLE: oracle, Stands.CHAIN: THE_CHAIN}
