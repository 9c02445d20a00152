"""What trading cost against the mid at which it was decided (D35), and what searchers took of that (D14b)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from engine.entries import Entry
from engine.errors import InputError
from engine.ledger.accounts import cash_leg, expenses
from engine.money import Currency, Money
from engine.positions import Sleeve

SLIPPAGE, MEV = "slippage", "mev"


@dataclass(frozen=True, slots=True)
class Execution:
    """
    One leg, or one combo, as filled: signed quantity, prices per unit, and the contract's multiplier.

    `arrival` is the mid at the decision, `filled` the price; a combo sold for a credit has a negative
    quantity and positive prices.
    """

    name: str
    quantity: Decimal
    filled: Decimal
    arrival: Decimal
    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        numbers = (self.quantity, self.filled, self.arrival, self.multiplier)
        if not all(number.is_finite() for number in numbers) or not self.quantity or self.multiplier <= 0:
            raise InputError(f"execution of {self.name}", why=f"{numbers} is not one", todo="read the fill again")

    @property
    def cost(self) -> Decimal:
        """
        Side times (fill less arrival mid) times quantity times multiplier: positive = paid more, or received less.

        >>> Execution("condor", Decimal(-2), Decimal("2.45"), Decimal("2.60"), Decimal(100)).cost
        Decimal('30.00')
        """
        with localcontext(prec=60):
            return (self.filled - self.arrival) * self.quantity * self.multiplier


@dataclass(frozen=True, slots=True)
class Slippage:
    """Cost of a combo against its own mid, which is what is booked; that of each leg informs."""

    cost: Money
    legs: Mapping[str, Decimal]


def slippage(combo: Execution, legs: Sequence[Execution] = (), *, currency: Currency) -> Slippage:
    """
    Slippage of one order, positive = cost; `Fill.slippage` is its negative.

    Parameters
    ----------
    combo : the order as a whole; its mid is the mid of the combo's own quotes, or net of its legs' mids
    legs : their prices are the venue's allocation of one price and add nothing to the books

    Source: D35.
    """
    return Slippage(Money.rounded(combo.cost, currency), {leg.name: leg.cost for leg in legs})


@dataclass(frozen=True, slots=True)
class Markout:
    """
    One of our transactions on chain against the pool's mid at the end of the block before.

    `side` is +1 where we bought; `quantity` > 0; `pool_fee` and `own_impact` are modelled costs, >= 0,
    in the same currency as price times quantity.
    """

    transaction: str
    side: int
    executed: Decimal
    reference: Decimal
    quantity: Decimal
    pool_fee: Decimal
    own_impact: Decimal

    def __post_init__(self) -> None:
        if self.side not in {1, -1} or not self.quantity > 0 or min(self.pool_fee, self.own_impact) < 0:
            raise InputError(
                f"mark-out of {self.transaction}",
                why="a side is 1 or -1, the quantity positive, fee and impact not negative",
                todo="correct the measurement",
            )

    @property
    def leakage(self) -> Decimal:
        """
        What others took: mark-out less pool fee less own impact; negative = a rebate.

        >>> Markout("0x1", 1, Decimal("1.0050"), Decimal(1), Decimal(10_000), Decimal(5), Decimal(20)).leakage
        Decimal('25.0000')
        """
        with localcontext(prec=60):
            return self.side * (self.executed - self.reference) * self.quantity - self.pool_fee - self.own_impact


def leakage_entry(markout: Markout, sleeve: Sleeve, currency: Currency, *, fill_key: str, at: datetime) -> Entry:
    """
    Moves leakage from slippage to an account of its own; what the trade cost as a whole stays.

    Parameters
    ----------
    fill_key : identity of the fill measured; measured once
    """
    lost = Money.rounded(markout.leakage, currency)
    return Entry(
        key=f"mev:{fill_key}",
        at=at,
        memo=f"MEV leakage of {markout.transaction}",
        legs=(cash_leg(expenses(MEV, sleeve), lost), cash_leg(expenses(SLIPPAGE, sleeve), -lost)),
        evidence={"transaction": markout.transaction, "reference": f"{markout.reference:f}"},
    )
