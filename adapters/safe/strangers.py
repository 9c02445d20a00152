"""Refusing to start on a Safe with anything in it that its owners did not name or Safe did not publish."""

from eth_utils.crypto import keccak

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, address
from adapters.safe.editions import EDITIONS, HANDLERS, MULTI_SENDS, PROXIES
from adapters.safe.roles import Role
from adapters.safe.state import SafeSettings, SafeState, check_pins, identity, read_state, unfit
from contracts_abi import load
from engine.errors import ChainMismatch, ConfigError, OrderRejected
from engine.orders import Address


def refuse_strangers(chain: Chain, settings: SafeSettings) -> SafeState:
    """
    The Safe's state, once chain, singleton, guard, fallback handler and modules are the known ones.

    Known is an address from `settings` whose code is the published one, or where Safe published none, the
    pinned one. Raises `ChainMismatch`, or `ConfigError` that names every part that is not (faults F57, F64).
    """
    if chain.chain_id != settings.chain_id:
        raise ChainMismatch(expected=settings.chain_id, found=chain.chain_id)
    if not chain.code(settings.safe):
        raise unfit(settings.safe, "there is no contract at that address")
    published = _unpublished(chain, settings)
    if published:
        raise unfit(settings.safe, "; ".join(published))
    state = read_state(chain, settings.safe)
    known = {
        "singleton": (state.singleton, settings.singleton),
        "guard": (state.guard, settings.guard),
        "fallback handler": (state.fallback_handler, settings.fallback_handler),
    }
    wrong = [f"{what} is {found}, not {wanted}" for what, (found, wanted) in known.items() if found != wanted]
    wrong += [f"module {module} is enabled" for module in state.modules if module not in settings.modules]
    wrong += [f"{a} is not pinned" for a in (settings.multi_send, settings.router) if a not in settings.pins]
    wrong += _changed(chain, settings, state)
    if wrong:
        raise unfit(settings.safe, "; ".join(wrong))
    return state


def refuse_foreign_role(chain: Chain, settings: SafeSettings, role: Role) -> None:
    """Raise `ConfigError` for a call policy of another chain or Safe, or of a target of another kind of code."""
    wrong = []
    if (role.chain_id, role.avatar) != (settings.chain_id, settings.safe):
        wrong.append(f"it is for Safe {role.avatar} on chain {role.chain_id}")
    for target in role.targets:
        found = identity(chain, target.address)
        if found != target.identity:
            wrong.append(f"target {target.address} is {found} code, not {target.identity}")
    if wrong:
        raise ConfigError(
            f"call policy {role.key} refused", why="; ".join(wrong), todo="review the policy file and export it again"
        )


def _unpublished(chain: Chain, settings: SafeSettings) -> list[str]:
    """What delegated code is not Safe's own: nothing the Safe says is believed before this is empty."""
    version = str(Contract(settings.safe, load("safe-1.4.1")).read(chain, "VERSION"))
    singleton = address(chain.storage(settings.safe, 0)[12:])
    if version not in EDITIONS:
        return [f"version {version} is none of {', '.join(EDITIONS)}"]
    wanted = {
        "proxy": (settings.safe, PROXIES),
        f"singleton {version}": (singleton, EDITIONS[version].singletons),
        "MultiSendCallOnly": (settings.multi_send, MULTI_SENDS),
    }
    return [
        f"the code of {what} {at} is not the published one"
        for what, (at, hashes) in wanted.items()
        if _code_hash(chain, at) not in hashes
    ]


def _changed(chain: Chain, settings: SafeSettings, state: SafeState) -> list[str]:
    """Guard, modules and fallback handler whose code is neither published nor the pinned one."""
    foreign = {"guard": state.guard, **{f"module {n}": at for n, at in enumerate(state.modules)}}
    handler = state.fallback_handler
    if handler != ZERO_ADDRESS and _code_hash(chain, handler) not in HANDLERS:
        foreign["fallback handler"] = handler
    wrong = []
    for what, at in foreign.items():
        if at != ZERO_ADDRESS:
            try:
                check_pins(chain, [at], settings.pins)
            except OrderRejected as refused:
                wrong.append(f"{what} {at}: {refused.why}")
    return wrong


def _code_hash(chain: Chain, at: Address) -> str:
    return "0x" + keccak(chain.code(at)).hex()
