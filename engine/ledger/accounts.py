"""The names of accounts, written and read in one place."""

from functools import lru_cache

from engine.entries import Account, Leg
from engine.instruments import Cash
from engine.money import Money
from engine.positions import Position, Sleeve

_KEPT = 4096
"""Names of accounts whose reading is remembered: the books have few, and millions of legs."""

TRADING = Account("equity:trading")
"""Counter-side of every exchange of one commodity for another, all sleeves together."""

EXECUTOR = "executor"
"""Venue name of the account that pays gas; it has no power over the vault."""

OFFRAMP = "offramp"
"""Venue name under which money between two sleeves is held while it travels."""


def assets(sleeve: Sleeve, venue: str) -> Account:
    """Where a sleeve's positions and cash at one venue are held."""
    return Account(f"assets:{sleeve}:{venue}")


def capital_of(sleeve: Sleeve) -> Account:
    """Money put into a sleeve (negative), taken out of it or moved on to another (positive)."""
    return Account(f"equity:capital:{sleeve}")


def income(kind: str, sleeve: Sleeve) -> Account:
    """What a sleeve earned without an exchange; its balance is negative."""
    return Account(f"income:{kind}:{sleeve}")


def expenses(kind: str, sleeve: Sleeve) -> Account:
    """What a sleeve paid without an exchange; its balance is positive."""
    return Account(f"expenses:{kind}:{sleeve}")


@lru_cache(_KEPT)
def held_at(account: Account) -> tuple[Sleeve, str] | None:
    """
    The sleeve and venue of an assets account, None for any other.

    >>> held_at(assets(Sleeve.DEFI, "aave-v3"))
    (<Sleeve.DEFI: 'defi'>, 'aave-v3')
    """
    root, _, rest = account.partition(":")
    sleeve, _, venue = rest.partition(":")
    return (Sleeve(sleeve), venue) if root == "assets" else None


@lru_cache(_KEPT)
def capital_sleeve(account: Account) -> Sleeve | None:
    """The sleeve of a capital account, None for any other."""
    head, _, sleeve = account.rpartition(":")
    return Sleeve(sleeve) if head == "equity:capital" else None


@lru_cache(_KEPT)
def suspended_in(account: Account) -> Sleeve | None:
    """The sleeve of a suspense account, None for any other."""
    head, _, sleeve = account.rpartition(":")
    return Sleeve(sleeve) if head == "equity:suspense" else None


@lru_cache(_KEPT)
def kind_and_sleeve(account: Account, root: str) -> tuple[str, Sleeve] | None:
    """The kind and sleeve of an account under `root` (`income` or `expenses`), None for any other."""
    head, _, sleeve = account.rpartition(":")
    found, _, kind = head.partition(":")
    return (kind, Sleeve(sleeve)) if found == root and kind else None


def cash_leg(account: Account, amount: Money) -> Leg:
    """A leg that counts plain money."""
    return Leg(account, amount, Cash(amount.currency))


def held_leg(change: Position) -> Leg:
    """The leg that makes `change` to its own assets account."""
    return Leg(assets(change.sleeve, change.venue), change.held, change.instrument)
