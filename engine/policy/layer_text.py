"""A layer as a policy file writes it, and the layer it means."""

import re
from dataclasses import replace
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import ConfigError
from engine.policy.bands import Band
from engine.policy.layers import DEFAULT, Arming, Kind, Layer, Role
from engine.policy.shares import Share
from engine.policy.wings import BeyondBreakEven, OutOfTheMoney, WingBasis, WingRule

_DAYS = re.compile(r"(?P<first>\d+)(?:-(?P<last>\d+)|\+) days")
_WINGS = re.compile(
    r"(?P<near>[\d.]+)% to (?P<far>[\d.]+)% (?:(?P<money>out of the money)|beyond the break-even, by (?P<basis>\w+))"
)


class LayerText(BaseModel):
    """
    One layer as written: when it may be opened, with what, for how much of the hedge budget.

    The core's days stand in the section `core`, so its `dte` is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    role: Role
    dte: str = ""
    holds: tuple[Kind, ...] = Field(min_length=1)
    budget: Share
    source: str
    wings: str = ""
    arming: Arming = Arming.RULE
    paced: bool = False


def layer_of(text: LayerText, core: Band) -> Layer:
    """
    The layer a text means, `core` being the days of the core condor.

    Raises `ConfigError` with its key for days not written as "15-45 days" or "60+ days", and for wings not written
    as "5% to 7% out of the money" or "15% to 20% beyond the break-even, by distance".
    """
    return Layer(
        name=text.name,
        role=text.role,
        dte=_band(text, core),
        menu=text.holds,
        share=text.budget,
        source=text.source,
        wings=_wings(text),
        arming=text.arming,
        paced=text.paced,
    )


def text_of(layer: Layer) -> LayerText:
    """The layer as a policy file writes it; `layer_of` reads it back."""
    return LayerText(
        name=layer.name,
        role=layer.role,
        dte="" if layer.role is Role.CORE else days_written(layer.dte),
        holds=layer.menu,
        budget=layer.share,
        source=layer.source,
        wings=wings_written(layer.wings),
        arming=layer.arming,
        paced=layer.paced,
    )


def days_written(band: Band) -> str:
    """
    A window of calendar days to expiry in words.

    >>> days_written(Band("short", 0, 7)), days_written(Band("structural", 60, None))
    ('0-7 days', '60+ days')
    """
    return f"{band.shortest}+ days" if band.longest is None else f"{band.shortest}-{band.longest} days"


def wings_written(rule: WingRule | None) -> str:
    """
    A wing rule in words, empty for none.

    >>> wings_written(OutOfTheMoney(0.05, 0.07))
    '5% to 7% out of the money'
    """
    if rule is None:
        return ""
    reach = f"{_percent(rule.near)} to {_percent(rule.far)}"
    if isinstance(rule, OutOfTheMoney):
        return f"{reach} out of the money"
    return f"{reach} beyond the break-even, by {rule.basis}"


def _band(text: LayerText, core: Band) -> Band:
    if text.role is Role.CORE and not text.dte:
        return replace(core, name=text.name)
    found = _DAYS.fullmatch(text.dte.strip())
    if found is None or text.role is Role.CORE:
        core_says = text.role is Role.CORE
        raise ConfigError(
            f"layers.{text.name}.dte = {text.dte!r}",
            why="core.dte_min and core.dte_max say it" if core_says else "it is no window of days to expiry (X01)",
            todo="leave it out" if core_says else 'write "15-45 days" or "60+ days"',
        )
    return Band(text.name, int(found["first"]), int(found["last"]) if found["last"] else None)


def _wings(text: LayerText) -> WingRule | None:
    if not text.wings:
        return None
    found = _WINGS.fullmatch(text.wings.strip())
    if found is None or (found["basis"] and found["basis"] not in set(WingBasis)):
        raise ConfigError(
            f"layers.{text.name}.wings = {text.wings!r}",
            why="it says no place for wings (X03)",
            todo='write "5% to 7% out of the money" or "15% to 20% beyond the break-even, by distance" (or price)',
        )
    near, far = (float(Decimal(found[end]) / 100) for end in ("near", "far"))
    return OutOfTheMoney(near, far) if found["money"] else BeyondBreakEven(near, far, WingBasis(found["basis"]))


def _percent(share: float) -> str:
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


LAYER_TEXTS: tuple[LayerText, ...] = tuple(text_of(layer) for layer in DEFAULT)
"""The default layers as a policy file writes them."""
