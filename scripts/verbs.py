"""The words of the `hedge` command, each imported only when it is called."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter


class _Verb(NamedTuple):
    place: str  # module:attribute, a function or a group of them
    summary: str


VERBS = {
    "demo": _Verb("scripts.demo:demo", "One whole rebalance on a local chain, and on to its expiry."),
    "init": _Verb("scripts.workspace_verbs:init", "Make a workspace: settings, co-signers, a local chain."),
    "price": _Verb("scripts.price:price", "Value, implied volatility and greeks of options."),
    "surface": _Verb("scripts.surface:surface", "Volatility smiles of a chain, free of arbitrage."),
    "margin": _Verb("scripts.margin:margin", "What the broker holds against the book, and why."),
    "stress": _Verb("scripts.stress:stress", "Losses by scenario and sleeve, margin, limits."),
    "allocate": _Verb("scripts.allocate:allocate", "The lots worth most within every hard limit."),
    "signals": _Verb("scripts.signals:signals", "What is seen at a close, and how it votes."),
    "explain": _Verb("scripts.explain:explain", "Why the engine would do what it would do now."),
    "approve": _Verb("scripts.approve:approve", "Check a plan from its bytes and sign it."),
    "apply": _Verb("scripts.rebalance:apply", "Carry an approved plan out, once."),
    "reconcile": _Verb("scripts.ledger:reconcile", "Journal against broker and chain, to the unit."),
    "market": _Verb("scripts.market:app", "Look at market data before a decision rests on it."),
    "policy": _Verb("scripts.policy:app", "The numbers and rules of the method."),
    "chain": _Verb("scripts.chain:app", "The contract packages and the local chain."),
    "plan": _Verb("scripts.rebalance:plan_app", "Make and read plans; nothing here sends anything."),
    "ledger": _Verb("scripts.ledger:app", "What the journal holds and whether it is whole."),
    "report": _Verb("scripts.report:app", "What the desk holds and what it returned."),
    "simulate": _Verb("scripts.simulate:app", "What would happen: on a fork, or over history."),
}


class Verbs(TyperGroup):
    """A group that lists its verbs without importing them."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**{**attributes, "commands": _Imported()})  # type: ignore[arg-type]

    def list_commands(self, ctx: "Context") -> list[str]:  # noqa: ARG002
        """Names, in the order of the table."""
        return list(VERBS)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:  # noqa: ARG002
        """Write the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])


class _Imported(Mapping[str, "Command"]):
    """Each verb's command, made when it is asked for."""

    def __getitem__(self, name: str) -> "Command":
        return _command(name, VERBS[name].place)

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _command(name: str, place: str) -> "Command":
    module, attribute = place.split(":")
    verb = getattr(import_module(module), attribute)
    parent = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(verb, typer.Typer):
        parent.add_typer(verb, name=name)
    else:
        parent.command(name)(verb)
    return get_group(parent).commands[name]
