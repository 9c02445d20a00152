"""What a broker holds against a book: rule sets, the cheapest pairing under each, and exchange initials."""

from engine.risk.margin.futures import FutureRequirement, InitialMargin, future_requirements
from engine.risk.margin.legs import MarginLeg, margin_legs
from engine.risk.margin.payout import max_payout, same_expiry_margin
from engine.risk.margin.portfolio import Scan, portfolio_scans
from engine.risk.margin.rules import Group, MarginRule, Requirement, pairing_requirement, requirement
from engine.risk.margin.strategies import Strategy

__all__ = [
    "FutureRequirement",
    "Group",
    "InitialMargin",
    "MarginLeg",
    "MarginRule",
    "Requirement",
    "Scan",
    "Strategy",
    "future_requirements",
    "margin_legs",
    "max_payout",
    "pairing_requirement",
    "portfolio_scans",
    "requirement",
    "same_expiry_margin",
]
