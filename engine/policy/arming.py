"""Which layers the rules have armed, and which of those may be opened now (X15, X17)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.policy.consensus import Decision
from engine.policy.layers import Arming, Combine, Layer, LayerTable, Role
from engine.policy.rule import Act, Finding


@dataclass(frozen=True, slots=True)
class LayerState:
    """
    How one layer stands.

    `armed` is None where too much is unseen to tell; `rules` are the ids of those behind it: the ones that fire
    where it is armed, the ones that cannot be told where it is unknown.
    """

    layer: Layer
    armed: bool | None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether an armed layer may be opened now, with the reason in words."""

    layer: Layer
    allowed: bool
    reason: str


def armed_layers(table: LayerTable, findings: Sequence[Finding]) -> tuple[LayerState, ...]:
    """
    How every layer stands by the rules that arm it; those that stand always or by age are armed.

    One rule is enough to arm, except for outer wings combined by `all`: then every rule that arms any of them
    must fire (X15).
    """
    return tuple(_state(layer, table, findings) for layer in table)


def openings(
    table: LayerTable, states: Sequence[LayerState], *, decision: Decision, frozen: Collection[str] = ()
) -> tuple[Opening, ...]:
    """
    Which layers may be opened.

    Parameters
    ----------
    decision : the committee's; a layer that adds risk needs `increase`, one that protects needs nobody (X17)
    frozen : what rules froze; "all" stops layers that add risk and no others
    """
    return tuple(_opening(state, state.layer.adds_risk(table.outer_mode), decision, frozen) for state in states)


def _state(layer: Layer, table: LayerTable, findings: Sequence[Finding]) -> LayerState:
    if layer.arming is not Arming.RULE:
        return LayerState(layer, True)
    together = layer.role is Role.OUTER and table.combine is Combine.ALL
    names = {one.name for one in table if one.role is Role.OUTER} if together else {layer.name}
    asked = [found for found in findings if _arms(found) & names]
    fired = tuple(found.rule.id for found in asked if found.fires)
    unseen = tuple(found.rule.id for found in asked if found.fires is None)
    if (fired and not together) or (asked and len(fired) == len(asked)):
        return LayerState(layer, True, fired)
    if unseen and (not together or len(fired) + len(unseen) == len(asked)):
        return LayerState(layer, None, unseen)
    return LayerState(layer, False)


def _arms(found: Finding) -> set[str]:
    return {effect.what for effect in found.rule.then if effect.act is Act.ARM}


def _opening(state: LayerState, adds: bool, decision: Decision, frozen: Collection[str]) -> Opening:
    layer, by = state.layer, ", ".join(state.rules)
    if state.armed is None:
        return Opening(layer, False, f"unknown: {by} cannot be told")
    if not state.armed:
        return Opening(layer, False, "no rule arms it")
    if adds and "all" in frozen:
        return Opening(layer, False, "new risk is frozen (X08)")
    if adds and decision is not Decision.INCREASE:
        return Opening(layer, False, f"it adds risk, and the committee says {decision} (X17)")
    return Opening(layer, True, f"armed by {by}" if by else f"armed {layer.arming}")
