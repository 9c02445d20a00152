"""Paper first: nothing goes live before several expiry cycles on paper have reconciled (S54)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from engine.errors import ApprovalError, InputError
from engine.instruments import MARKET_ZONE
from engine.policy.bounds import within


@dataclass(frozen=True, slots=True)
class PaperRules:
    """Complete expiry cycles before live trading; fewer than three cannot be configured."""

    cycles: int = 3  # S54

    def __post_init__(self) -> None:
        within("paper.cycles", self.cycles, 3, 36, rule="S54")


@dataclass(frozen=True, slots=True)
class PaperCycle:
    """
    One expiry traded on paper: when it settles, its first fill, and when its last position was settled or closed.

    `flat` is None while something of it is held.
    """

    expiry: datetime
    opened: datetime
    flat: datetime | None

    def __post_init__(self) -> None:
        if not self.opened < self.expiry or (self.flat is not None and self.flat < self.opened):
            raise InputError(
                f"paper cycle of {self.expiry} refused",
                why=f"opened {self.opened}, flat {self.flat}",
                todo="give instants in order, the first fill before the expiry",
            )

    def complete(self, asof: datetime) -> bool:
        """Whether the desk has carried it past its settlement and holds nothing of it."""
        return self.flat is not None and self.flat <= asof and self.expiry <= asof


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """Expiries carried through on paper, rising, and breaks between books and venues that are not reconciled."""

    expiries: tuple[date, ...]
    unreconciled: int

    def lacks(self, rules: PaperRules = PaperRules()) -> tuple[str, ...]:
        """What still stands against going live, empty if nothing does."""
        found = []
        if len(self.expiries) < rules.cycles:
            found.append(f"{len(self.expiries)} of {rules.cycles} expiry cycles are complete")
        if self.unreconciled:
            found.append(f"{self.unreconciled} breaks are not reconciled")
        return tuple(found)


class PaperGateShut(ApprovalError):
    """Live trading cannot be signed yet."""

    def __init__(self, lacks: tuple[str, ...]) -> None:
        self.lacks = lacks
        super().__init__(
            "live trading refused",
            why=f"{'; '.join(lacks)} (S54)",
            todo="carry on with the paper venue and reconcile every break",
        )


@dataclass(frozen=True, slots=True)
class LivePermit:
    """What has to be shown before live trading is signed; cannot exist for a record that lacks anything."""

    record: PaperRecord
    rules: PaperRules = PaperRules()

    def __post_init__(self) -> None:
        if lacks := self.record.lacks(self.rules):
            raise PaperGateShut(lacks)


def paper_record(cycles: Iterable[PaperCycle], *, unreconciled: int, asof: datetime) -> PaperRecord:
    """
    What the paper desk has done by `asof`; several condors of one expiry are one cycle.

    Parameters
    ----------
    unreconciled : breaks found by reconciliation and not resolved, >= 0
    """
    if unreconciled < 0:
        raise InputError(f"{unreconciled} breaks refused", why="it is no count", todo="reconcile first")
    traded = list(cycles)
    held = {_day(cycle) for cycle in traded if not cycle.complete(asof)}
    done = {_day(cycle) for cycle in traded if cycle.complete(asof)}
    return PaperRecord(tuple(sorted(done - held)), unreconciled)


def _day(cycle: PaperCycle) -> date:
    return cycle.expiry.astimezone(MARKET_ZONE).date()
