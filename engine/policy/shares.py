"""Shares as an operator writes them: a percentage in quotes, never a bare number."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator


def share(written: Any) -> Decimal:
    """A percentage in quotes as a decimal share: "15%" is 0.15; anything else is refused."""
    if isinstance(written, Decimal):
        return written
    if not isinstance(written, str) or not written.strip().endswith("%"):
        raise ValueError(f'a share is written as a percentage in quotes, "15%", not {written!r}')
    try:
        share = Decimal(written.strip()[:-1]) / 100
    except InvalidOperation:
        raise ValueError(f"{written!r} is not a percentage") from None
    if not share.is_finite():
        raise ValueError(f"{written!r} is not finite")
    return share


Share = Annotated[Decimal, BeforeValidator(share)]
"""A decimal share in a policy file."""
