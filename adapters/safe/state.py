"""What a Safe is right now, what it must be, and the identity of the code it may call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from adapters.evm.chain import BlockTag, Chain
from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, address
from adapters.safe.contract_owners import ContractOwners
from adapters.safe.editions import PROXIES
from adapters.safe.signatures import Terms
from contracts_abi import load
from engine.errors import ConfigError, OrderRejected
from engine.orders import Address

_GUARD_SLOT = int.from_bytes(keccak(text="guard_manager.guard.address"), "big")
_FALLBACK_SLOT = int.from_bytes(keccak(text="fallback_manager.handler.address"), "big")
_IMPLEMENTATION_SLOT = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1
_BEACON_SLOT = int.from_bytes(keccak(text="eip1967.proxy.beacon"), "big") - 1
_ZOS_SLOT = int.from_bytes(keccak(text="org.zeppelinos.proxy.implementation"), "big")
_SENTINEL, _PAGE, _MOST_MODULES = address(b"\0" * 19 + b"\1"), 10, 200


@dataclass(frozen=True, slots=True)
class SafeSettings:
    """
    The Safe we were set up for; everything else is refused.

    `router` is the deployed `SwapRouter02` whose `multicall` carries the deadline. `pins` maps each
    contract that the vault may call, MultiSendCallOnly and router included, to its `fingerprint` at
    set-up; a guard, a module, or a fallback handler that Safe did not publish must be pinned too. `since`
    is a block before the Safe's first batch of ours: where look-ups start.
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

    def __post_init__(self) -> None:
        needed = self.safe, self.singleton, self.multi_send, self.router
        for place in (*needed, self.fallback_handler, self.guard, *self.modules, *self.pins):
            if not is_checksum_address(place):
                raise unfit(self.safe, f"address {place} is not spelled with its checksum (EIP-55)")
        if ZERO_ADDRESS in needed:
            raise unfit(self.safe, "Safe, singleton, batch contract and router must be named")


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

    def terms(self, settings: SafeSettings, contracts: ContractOwners | None = None) -> Terms:
        """What it takes to move this Safe now."""
        owners = frozenset(self.owners)
        return Terms(settings.chain_id, settings.safe, owners, self.threshold, self.nonce, contracts)


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


def fingerprint(chain: Chain, target: Address, *, block: BlockTag = "latest") -> str:
    """
    Identity of the code at `target`: its hash, and the hash of the code it delegates to.

    Follows the implementation and beacon slots of EIP-1967 and the one of zeppelin-os (Circle's USDC), and
    the target in an EIP-1167 clone. Raises `OrderRejected` where there is no code, or an account's
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
    if _is_clone(code):
        slots.append(code[10:30].rjust(32, b"\0"))
    beacon = chain.storage(target, _BEACON_SLOT, block=block)
    if any(beacon):
        shown = chain.call(address(beacon[12:]), keccak(text="implementation()")[:4], block=block)
        slots += [beacon, shown[-32:].rjust(32, b"\0")]
    parts += [word + keccak(chain.code(address(word[12:]), block=block)) if any(word) else word for word in slots]
    return "0x" + keccak(b"".join(parts)).hex()


def identity(chain: Chain, target: Address) -> str:
    """
    How the code at `target` is known, in the words of a call policy.

    ``plain``, ``safe`` (a proxy to its slot 0), ``eip1167`` (a clone), ``eip1967``, ``beacon`` or ``zos``
    (proxies by their slots).
    """
    code = chain.code(target)
    if _is_clone(code):
        return "eip1167"
    if "0x" + keccak(code).hex() in PROXIES:
        return "safe"
    slots = {"eip1967": _IMPLEMENTATION_SLOT, "beacon": _BEACON_SLOT, "zos": _ZOS_SLOT}
    return next((kind for kind, slot in slots.items() if any(chain.storage(target, slot))), "plain")


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


def _is_clone(code: bytes) -> bool:
    return len(code) == 45 and code.startswith(bytes.fromhex("363d3d373d3d3d363d73"))


def _modules(chain: Chain, contract: Contract, block: int) -> tuple[Address, ...]:
    """
    Every enabled module. The next page starts after the last one seen, not at the contract's `next`: that
    of 1.3.0 names the first module of the next page, and starting there would leave it out.
    """
    found: list[Address] = []
    while len(found) <= _MOST_MODULES:
        start = found[-1] if found else _SENTINEL
        page = contract.read(chain, "getModulesPaginated", start, _PAGE, block=block)["array"]
        found += page
        if len(page) < _PAGE:
            return tuple(found)
    raise unfit(contract.address, f"it has more than {_MOST_MODULES} modules")


def unfit(safe: Address, why: str) -> ConfigError:
    """The refusal of a Safe that is not as it was set up."""
    return ConfigError(f"Safe {safe} refused", why=why, todo="undo it on the Safe or review and configure it")
