"""A report's records as values that JSON can carry, nothing rounded."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from engine.errors import InputError
from engine.money import Money

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def plain_value(value: object) -> Json:
    """
    Any record of a report, field by field; raises `InputError` for what has no JSON form.

    Amounts are `{"amount": "12.50", "currency": "USD"}`, an infinite figure is the string `"inf"`, one that is
    not a number is null.
    """
    match value:
        case Money():
            return {"amount": f"{value.amount:f}", "currency": value.currency.code}
        case Decimal():
            return f"{value:f}"
        case date():  # an instant is a date too
            return value.isoformat()
        case StrEnum():
            return value.value
        case float() if not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [plain_value(each) for each in value]
        case Mapping():
            return {str(key): plain_value(each) for key, each in value.items()}
    if is_dataclass(value):
        return {each.name: plain_value(getattr(value, each.name)) for each in fields(value)}
    raise refused(type(value).__name__, "it has no JSON form")


def refused(what: str, why: str) -> InputError:
    """The error of a report whose parts do not fit each other."""
    return InputError(f"report of {what} refused", why=why, todo="correct what the report is made from")
