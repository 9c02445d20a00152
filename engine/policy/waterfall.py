"""Where premium goes: six stages in order, and premium sold on only while the stress still passes (X13, X06)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from engine.errors import InputError
from engine.money import Money
from engine.orders import Breach
from engine.policy.band import DeltaReading
from engine.policy.bounds import whole

B = TypeVar("B")


class Stage(StrEnum):
    """The stages, first to last (X13)."""

    FEES = "fees and gas"
    MARGIN = "margin and quick ratio"
    HEDGE = "hedge budget"
    DEBT = "debt service"
    REINVEST = "reinvested"
    ROUTED = "routed premium"


SENIOR = (Stage.FEES, Stage.MARGIN, Stage.HEDGE, Stage.DEBT)
"""The stages that are paid before anything is distributable."""

_DEFAULT = {
    Stage.FEES: Decimal("0.05"),
    Stage.MARGIN: Decimal("0.20"),
    Stage.HEDGE: Decimal("0.25"),
    Stage.DEBT: Decimal("0.15"),
    Stage.REINVEST: Decimal("0.20"),
    Stage.ROUTED: Decimal("0.15"),
}


@dataclass(frozen=True, slots=True)
class WaterfallShares:
    """
    Each stage's share of the premium, a decimal; together 100 % (X13). The defaults are this policy's own choice.

    A senior stage is paid what is due whatever its share, and what it wants beyond that within its share.
    """

    shares: Mapping[Stage, Decimal] = field(default_factory=lambda: dict(_DEFAULT))

    def __post_init__(self) -> None:
        whole("waterfall", {stage.name.lower(): self.of(stage) for stage in Stage}, rule="X13")

    @property
    def reinvested(self) -> Decimal:
        """b: the share of net distributable premium that is reinvested (S38, D30); 0 where nothing is shared out."""
        both = self.of(Stage.REINVEST) + self.of(Stage.ROUTED)
        return self.of(Stage.REINVEST) / both if both else Decimal(0)

    def of(self, stage: Stage) -> Decimal:
        """A stage's share, 0 where none is written."""
        return self.shares.get(stage, Decimal(0))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a senior stage must have now, and what it could use in all (`wanted` >= `due` >= 0)."""

    due: Money
    wanted: Money

    def __post_init__(self) -> None:
        if self.due.units < 0 or self.wanted < self.due:
            raise InputError(
                f"claim of {self.due} due and {self.wanted} wanted refused",
                why="0 <= due <= wanted must hold",
                todo="count what is due among what is wanted",
            )


@dataclass(frozen=True, slots=True)
class Payment:
    """What a stage gets; `lacking` is what was due and is not there."""

    stage: Stage
    paid: Money
    lacking: Money


def waterfall(
    premium: Money, claims: Mapping[Stage, Claim], shares: WaterfallShares = WaterfallShares()
) -> tuple[Payment, ...]:
    """
    The payment of every stage, first to last; together exactly the premium.

    What no senior stage takes is net distributable: b of it is reinvested, rounded down to the smallest unit,
    and the rest is routed.

    Parameters
    ----------
    premium : net of nothing yet, not negative
    claims : of the senior stages; one without a claim takes nothing

    Source: X13, S38.
    """
    strangers = [stage for stage in claims if stage not in SENIOR]
    if premium.units < 0 or strangers:
        raise InputError(
            f"premium of {premium} not distributed",
            why=f"{strangers[0]} has no claim of its own" if strangers else "it is negative",
            todo="post a loss to capital; claims are those of fees, margin, hedge and debt",
        )
    left, found = premium, []
    none = Money.zero(premium.currency)
    for stage in SENIOR:
        claim = claims.get(stage, Claim(none, none))
        allotted = _part(premium, shares.of(stage))
        paid = min(left, max(claim.due, min(claim.wanted, allotted)))
        found.append(Payment(stage, paid, max(claim.due - paid, none)))
        left = left - paid
    reinvested = _part(left, shares.reinvested)
    return (
        *found,
        Payment(Stage.REINVEST, reinvested, none),
        Payment(Stage.ROUTED, left - reinvested, none),
    )


def post_trade_breaches(delta: DeltaReading, theta: float) -> tuple[Breach, ...]:
    """
    What stands against longer protection bought with short-leg profits: delta near neutral, theta positive (S25).

    Parameters
    ----------
    delta : of the whole book after the trade
    theta : USD per day of the whole book after the trade
    """
    found = []
    if not delta.holds:
        found.append(Breach("delta_band", delta.band_usd, abs(delta.dollar_delta), "S25, S16", "after the trade"))
    if not theta > 0:
        found.append(Breach("theta", 0.0, theta, "S25", "the book would pay for time after the trade"))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Routed(Generic[B]):
    """The book to aim for, whether premium was routed, and the breaches that held it back."""

    book: B
    routed: bool
    held_back_by: tuple[Breach, ...] = ()


def protect_then_route(
    book: B,
    *,
    protect: Callable[[B], B],
    stress: Callable[[B], Sequence[Breach]],
    route: Callable[[B], B],
) -> Routed[B]:
    """
    Protection first, stressed anew, and premium routed only if the stress passes before and after (X06, finding 8).

    Protection is kept whatever the stress says: a signal that asks for both buys cover and sells nothing.

    Parameters
    ----------
    protect, route : the book with that step's trades
    stress : every limit a book breaks
    """
    protected = protect(book)
    if breaches := tuple(stress(protected)):
        return Routed(protected, False, breaches)
    routed = route(protected)
    if breaches := tuple(stress(routed)):
        return Routed(protected, False, breaches)
    return Routed(routed, True)


def _part(whole_sum: Money, share: Decimal) -> Money:
    return Money.rounded(whole_sum.amount * share, whole_sum.currency, ROUND_DOWN)
