"""Distributions of listed funds: owed from the ex-date, paid later, reinvested in part (S38)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal, localcontext

from engine.entries import Entry, EntryStatus, Leg
from engine.errors import InputError
from engine.instruments import FundShare
from engine.ledger.accounts import assets, cash_leg, expenses, income
from engine.money import Money
from engine.positions import Position

DIVIDENDS, WITHHOLDING = "dividends", "withholding"


@dataclass(frozen=True, slots=True)
class Dividend:
    """A distribution per share, in the share's currency; `withheld` is the share of it kept by the tax office."""

    share: FundShare
    ex: date
    per_share: Decimal
    withheld: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if not self.per_share > 0 or not 0 <= self.withheld < 1:
            raise InputError(
                f"dividend of {self.share.symbol}: {self.per_share}, withheld {self.withheld}",
                why="a distribution is positive and less than all of it is withheld",
                todo="correct the announcement",
            )

    def amounts(self, held: Money) -> tuple[Money, Money]:
        """
        Gross and withheld for signed shares held at the ex-date; a short position pays and nothing is withheld.

        >>> from engine.money import USD
        >>> vnq = FundShare("VNQ")
        >>> paid = Dividend(vnq, date(2026, 3, 27), Decimal("0.8731"), Decimal("0.15"))
        >>> [str(part) for part in paid.amounts(Money(120, vnq.unit))]
        ['104.77 USD', '15.72 USD']
        """
        with localcontext(prec=60):
            gross = Money.rounded(held.amount * self.per_share, self.share.currency)
            kept = Money.rounded(max(gross.amount, Decimal(0)) * self.withheld, self.share.currency)
        return gross, kept


def dividend(announced: Dividend, position: Position, *, at: datetime, paid: bool) -> Entry:
    """
    What a distribution does to the books: in flight from the ex-date, final once the broker paid it.

    Parameters
    ----------
    position : the shares held at the close before the ex-date
    paid : the final entry replaces the one in flight: post both with `reversal.finalised`
    """
    gross, kept = announced.amounts(position.held)
    sleeve, key = position.sleeve, f"dividend:{position.venue}:{announced.share.id}:{announced.ex.isoformat()}"
    bears = income(DIVIDENDS, sleeve) if gross.units > 0 else expenses(DIVIDENDS, sleeve)
    tax: tuple[Leg, ...] = (cash_leg(expenses(WITHHOLDING, sleeve), kept),) if kept else ()
    return Entry(
        key=key if paid else f"{key}@declared",
        at=at,
        memo=f"dividend of {announced.share.symbol}",
        legs=(cash_leg(assets(sleeve, position.venue), gross - kept), cash_leg(bears, -gross), *tax),
        evidence={
            "instrument": announced.share.id,
            "ex": announced.ex.isoformat(),
            "per_share": f"{announced.per_share:f}",
        },
        status=EntryStatus.FINAL if paid else EntryStatus.IN_FLIGHT,
    )


def reinvestment(distributable: Money, fraction: Decimal, price: Money) -> tuple[int, Money]:
    """
    Whole shares that a fraction b of what is distributable buys, and the cash that is left (S38).

    Parameters
    ----------
    distributable : net of fees and tax, >= 0
    fraction : 0 to 1
    price : of one share, fees included, > 0

    >>> from engine.money import usd
    >>> reinvestment(usd(1000), Decimal("0.5"), usd("83.10"))
    (6, Money.of('501.40', USD))
    """
    if not 0 <= fraction <= 1 or distributable.units < 0 or price.units <= 0:
        raise InputError(
            f"reinvesting {fraction} of {distributable} at {price}",
            why="the fraction is between 0 and 1, and neither amount negative",
            todo="correct the schedule",
        )
    spent = (distributable.amount * fraction / price.amount).to_integral_value(ROUND_DOWN)
    return int(spent), distributable - price * int(spent)
