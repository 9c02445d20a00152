"""The stage of `vault_stage` with further venues behind the same Safe."""

from collections.abc import Iterable
from dataclasses import replace

from adapters.evm.erc20 import Token
from adapters.evm.transactions import Executor, GasPolicy
from adapters.safe.state import pin
from adapters.safe.vault import SafeVault
from tests.chain.vault_stage import Stage, owner


def behind(base: Stage, *venues, tokens: Iterable[Token] = ()) -> Stage:
    """The same chain and Safe with a vault that allows `venues` too, and more tokens to look at."""
    permits = [permit for venue in (*base.venues, *venues) for permit in venue.permits()]
    targets = {p.contract.address for p in permits} | {base.settings.multi_send, base.settings.router}
    settings = replace(base.settings, pins=pin(base.chain, targets))
    executor = Executor(
        base.chain, owner(4), remember=base.remember, policy=GasPolicy(wait_seconds=10.0, gas_limit=None), local=True
    )
    vault = SafeVault(base.chain, settings, permits, executor)
    seen = {**base.tokens, **{token.currency.code: token for token in tokens}}
    return replace(base, settings=settings, vault=vault, tokens=seen)
