"""Broker margin as one HTML document: each rule set's sum, its pairing, and the pay-off behind it."""

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engine.positions import Book
from engine.report import charts
from engine.report.exposure import condor_payoff
from engine.report.tables import instant, number, plain, typeset
from engine.risk.margin import FutureRequirement, Requirement
from engine.risk.valuation import PricingView


class RuleAnswer(Protocol):
    """One rule set's requirement, or why there is none."""

    @property
    def rule(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def found(self) -> Requirement | None: ...
    @property
    def refused(self) -> str: ...


def render(
    answers: Sequence[RuleAnswer],
    futures: Sequence[FutureRequirement],
    book: Book,
    view: PricingView,
    assumptions: Sequence[str],
) -> str:
    """One self-contained HTML5 document: no script, no outside reference, the same bytes for equal answers."""
    curve = condor_payoff(book, view)
    return _template().render(
        answers=answers,
        futures=futures,
        asof=view.asof,
        spot=view.spot,
        assumptions=assumptions,
        payoff=charts.payoff(curve) if curve else "",
        chart_style=charts.STYLE,
    )


def _dollars(usd: float) -> str:
    return typeset(number(usd, 2)) if isfinite(usd) else "unbounded"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("adapters.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {"instant": instant, "dollars": _dollars}
    return environment.get_template("margin.html.jinja")


def _shown(value: object) -> object:
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
