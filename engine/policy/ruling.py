"""What a judgement imposes on a target: the hedge ratio, the leverage, and whether risk may be added."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class MeetingAction(StrEnum):
    """
    What a policy meeting does to risk (X08); all three add none in the sessions around it.

    `reduce` gives no leave to add and no leverage from the watch before the meeting on (D23). `increase` adds to the
    sleeve once the minutes hint at divergence and the committee increases; limits under stress bind all the same.
    """

    INCREASE = "increase"
    FREEZE = "freeze"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class Ruling:
    """
    The terms a target is made under.

    `hedge_ratio` is h* of D10; `leverage` the share of the permitted loan that may stand (X07), 0 to 1;
    `may_add` whether condors and debt may grow (D29, X08); `high_vol` whether the session cap binds (D12);
    `gdp_uncertain` whether the beta limit does (S42). `meetings` are policy announcement days, which widen wings
    (D24b). `why` says in words what restrains, empty where nothing does. `sleeve_factor` scales the sleeve's target
    by the beta of the volatility complex, frozen per quarter (S51, D19).
    """

    hedge_ratio: float = 1.0
    leverage: float = 1.0
    may_add: bool = True
    high_vol: bool = False
    gdp_uncertain: bool = False
    why: str = ""
    meetings: tuple[date, ...] = ()
    sleeve_factor: float = 1.0
