"""Every signal there is, by name."""

from collections.abc import Iterable, Mapping

import numpy as np

from engine.signals import betas, currency, liquidity, macro, onchain, technical, volatility
from engine.signals.columns import Signal
from engine.signals.meetings import meeting_signals

FIXED: tuple[Signal, ...] = (
    *technical.SIGNALS,
    *volatility.SIGNALS,
    *macro.SIGNALS,
    *currency.SIGNALS,
    *onchain.SIGNALS,
    *betas.SIGNALS,
    *liquidity.SIGNALS,
)
"""Signals that need nothing but observations; those of the calendar need its meetings too."""


def by_name(signals: Iterable[Signal]) -> Mapping[str, Signal]:
    """A catalogue of signals."""
    return {signal.name: signal for signal in signals}


def names() -> Mapping[str, Signal]:
    """Every signal a rule may ask about, whatever can be seen."""
    return by_name((*FIXED, *meeting_signals((), np.zeros(0, "datetime64[D]"))))
