"""What a Safe is right now, what it must be, and the identity of the code it may call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, address
from adapters.safe.signatures import Terms
from contracts_abi import load
from engine.errors import ChainMismatch, ConfigError, OrderRejected
from engine.orders import Address

_GUARD_SLOT = int.from_bytes(keccak(text="guard_manager.guard.address"), "big")
_FALLBACK_SLOT = int.from_bytes(keccak(text="fallback_manager.handler.address"), "big")
_IMPLEMENTATION_SLOT = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1
_ZOS_SLOT = int.from_bytes(keccak(text="org.zeppelinos.proxy.implementation"), "big")
_SENTINEL, _PAGE = address(b"\0" * 19 + b"\1"), 10


@dataclass(frozen=True, slots=True)
class SafeSettings:
    """
    The Safe we were set up for; everything else is refused.

    `router` is the deployed `SwapRouter02` whose `multicall` carries the deadline. `pins` maps each
    contract that the vault may call, MultiSendCallOnly and router included, to its `fingerprint` at
    set-up. `since` is a block before the Safe's first batch of ours: where look-ups start.
    """

    chain_id: int
    safe: Address
    singleton: Address
    multi_send: Address
    router: Address
    pins: Mapping[Address, str] = field(repr=False)
    fallback_handler: Address = ZERO_ADDRESS
    guard: Address = ZERO_ADDRESS
    modules: frozenset[Address] = frozenset()
    since: int = 0


@dataclass(frozen=True, slots=True)
class SafeState:
    """A Safe at one block. Owners in the Safe's own order; zero address = none."""

    block: int
    owners: tuple[Address, ...]
    threshold: int
    nonce: int
    modules: tuple[Address, ...]
    guard: Address
    fallback_handler: Address
    singleton: Address
    version: str

    def terms(self, settings: SafeSettings) -> Terms:
        """What it takes to move this Safe now."""
        return Terms(settings.chain_id, settings.safe, frozenset(self.owners), self.threshold, self.nonce)


def read_state(chain: Chain, safe: Address, *, block: BlockTag = "latest") -> SafeState:
    """Owners, threshold, nonce, modules, guard, fallback handler and singleton, all at one block."""
    number = chain.block(block).number
    contract = Contract(safe, load("safe-1.4.1"))
    owners, threshold, nonce, version = chain.read_many(
        [contract.query(name) for name in ("getOwners", "getThreshold", "nonce", "VERSION")], block=number
    )
    slots = [address(chain.storage(safe, slot, block=number)[12:]) for slot in (_GUARD_SLOT, _FALLBACK_SLOT, 0)]
    return SafeState(
        number,
        tuple(owners),
        threshold,
        nonce,
        _modules(chain, contract, number),
        slots[0],
        slots[1],
        slots[2],
        version,
    )


def refuse_strangers(chain: Chain, settings: SafeSettings) -> SafeState:
    """
    The Safe's state, once chain, code, singleton, guard, fallback handler and modules are the known ones.

    Raises `ChainMismatch`, or `ConfigError` that names every part that is not (faults F57, F64).
    """
    if chain.chain_id != settings.chain_id:
        raise ChainMismatch(expected=settings.chain_id, found=chain.chain_id)
    if not chain.code(settings.safe):
        raise _unfit(settings.safe, "there is no contract at that address")
    state = read_state(chain, settings.safe)
    known = {
        "singleton": (state.singleton, settings.singleton),
        "guard": (state.guard, settings.guard),
        "fallback handler": (state.fallback_handler, settings.fallback_handler),
    }
    wrong = [f"{what} is {found}, not {wanted}" for what, (found, wanted) in known.items() if found != wanted]
    wrong += [f"module {module} is enabled" for module in state.modules if module not in settings.modules]
    wrong += [f"version {state.version} is not 1.4.1"] if state.version != "1.4.1" else []
    wrong += [f"{a} is not pinned" for a in (settings.multi_send, settings.router) if a not in settings.pins]
    if wrong:
        raise _unfit(settings.safe, "; ".join(wrong))
    return state


def fingerprint(chain: Chain, target: Address, *, block: BlockTag = "latest") -> str:
    """
    Identity of the code at `target`: its hash, and the hash of the code it delegates to.

    Follows the implementation slots of EIP-1967 and of zeppelin-os (Circle's USDC), and a 20-byte
    target in an EIP-1167 clone. Raises `OrderRejected` where there is no code, or an account's
    delegation (EIP-7702): a call there does nothing and succeeds (faults F28, F63).
    """
    code = chain.code(target, block=block)
    if not code or code.startswith(bytes.fromhex("ef0100")):
        raise OrderRejected(
            f"{target} is no contract",
            why="a call to an address without code succeeds and does nothing",
            todo="correct the configured address",
        )
    parts = [keccak(code)]
    slots = [chain.storage(target, slot, block=block) for slot in (_IMPLEMENTATION_SLOT, _ZOS_SLOT)]
    if len(code) == 45 and code.startswith(bytes.fromhex("363d3d373d3d3d363d73")):
        slots.append(code[10:30].rjust(32, b"\0"))
    parts += [word + keccak(chain.code(address(word[12:]), block=block)) if any(word) else word for word in slots]
    return "0x" + keccak(b"".join(parts)).hex()


def pin(chain: Chain, targets: Iterable[Address]) -> dict[Address, str]:
    """Fingerprints of `targets` now: what set-up records and every later check compares with."""
    return {target: fingerprint(chain, target) for target in sorted(targets)}


def check_pins(chain: Chain, targets: Iterable[Address], pins: Mapping[Address, str]) -> None:
    """Raise `OrderRejected` for a target that is not pinned or whose code is no longer the pinned one."""
    for target in sorted(set(targets)):
        if target not in pins or fingerprint(chain, target) != pins[target]:
            raise OrderRejected(
                f"contract {target} refused",
                why="its code changed since set-up" if target in pins else "its code was never pinned",
                todo="review the contract, then record its new fingerprint",
            )


def _modules(chain: Chain, contract: Contract, block: int) -> tuple[Address, ...]:
    found: list[Address] = []
    start = _SENTINEL
    while True:
        page = contract.read(chain, "getModulesPaginated", start, _PAGE, block=block)
        found += page["array"]
        start = page["next"]
        if start in (_SENTINEL, ZERO_ADDRESS):
            return tuple(found)


def _unfit(safe: Address, why: str) -> ConfigError:
    return ConfigError(f"Safe {safe} refused", why=why, todo="undo it on the Safe or review and configure it")
