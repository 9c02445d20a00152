"""How much of a layer one session may add: increments, and the session's cap on new outer risk (S24, S41, D12)."""

from dataclasses import dataclass
from math import floor, isfinite

from engine.errors import InputError
from engine.policy.bounds import within
from engine.policy.layers import Layer, Role
from engine.policy.regime import Regime
from engine.risk.session_cap import session_room

_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """Decimals: `step` of a layer's target per session, `session_share` of defined-risk capital per session."""

    step: float = 0.25  # S24
    session_share: float = 0.25  # S41, D12
    always: bool = False  # D12: bind in every regime, not in high volatility alone

    def __post_init__(self) -> None:
        within("layers.step", self.step, 0.01, 0.25, rule="S24")
        within("limits.session_new_outer", self.session_share, 0.01, 0.25, rule="S41, D12, X12")


@dataclass(frozen=True, slots=True)
class Addition:
    """Lots to add now, of those still `wanted`; `bound_by` says what holds the rest back."""

    lots: int
    wanted: int
    bound_by: tuple[str, ...] = ()


def room_left(used: float, *, defined_risk: float, rules: ScalingRules = ScalingRules()) -> float:
    """
    USD of maximum loss of outer layers that the session may still take on, never below zero.

    `used` is what everything opened or working in the session takes of it, over all its runs
    (`engine.risk.session_cap.session_use`, D12).
    """
    return max(session_room(used, share=rules.session_share, defined_risk=defined_risk), 0.0)


def increment(target: int, held: int, added: int, step: float = 0.25) -> int:
    """
    Lots that a paced layer may still add this session.

    A session adds `step` of the target, rounded down, but one lot at least: a layer of fewer lots than steps
    grows by ones.

    Parameters
    ----------
    target, held : lots wanted in all, and open or working now
    added : of those held, the ones opened or sent in this session

    Source: S24.

    >>> increment(100, held=50, added=0), increment(100, held=60, added=10), increment(3, held=1, added=1)
    (25, 15, 0)
    """
    if not 0 <= added <= held or target < 0:
        raise InputError(
            f"increment of {target} lots refused",
            why=f"{held} held, {added} of them added",
            todo="count this session's lots among those held",
        )
    pace = max(1, floor(step * target + _EXACT))
    return max(0, min(pace - added, target - held))


def addition(
    layer: Layer,
    target: int,
    held: int,
    added: int,
    *,
    max_loss: float,
    room: float,
    regime: Regime,
    rules: ScalingRules = ScalingRules(),
) -> Addition:
    """
    How many lots of a layer to add now.

    A paced layer always grows in steps, every layer does so in high volatility (C:10); there an outer or tail
    layer also keeps within the session's room.

    Parameters
    ----------
    target, held, added : as in `increment`
    max_loss : USD one lot can lose at most, finite and not negative
    room : USD, from `room_left`
    """
    if not (isfinite(max_loss) and max_loss >= 0 and room >= 0):
        raise InputError(
            f"layer {layer.name} not scaled",
            why=f"a lot may lose {max_loss} USD with {room} left",
            todo="give a structure with a finite maximum loss",
        )
    paced = increment(target, held, added, rules.step)
    wanted = max(0, target - held)
    bounds = []
    if layer.paced or regime.high_vol:
        bounds.append((paced, f"steps of {rules.step:.0%} of its target (S24)"))
    if layer.role in {Role.OUTER, Role.TAIL} and (regime.high_vol or rules.always) and max_loss > 0:
        bounds.append((floor(room / max_loss + _EXACT), f"{room:,.0f} USD of the session's cap left (D12)"))
    lots = min([wanted, *(most for most, _ in bounds)])
    return Addition(lots, wanted, tuple(why for most, why in bounds if most == lots < wanted))
