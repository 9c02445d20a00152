"""The Safe stacks 1.4.1 and 1.3.0 from their published packages, and new Safes from them."""

from collections.abc import Sequence

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ZERO, Builder, interface
from engine.orders import Address

PACKAGE = "safe-contracts"
_NAMES = {
    "1.4.1": (PACKAGE, "Safe", "SafeProxyFactory"),
    "1.3.0": ("safe-contracts-1.3.0", "GnosisSafe", "GnosisSafeProxyFactory"),
}


def deploy_safe_stack(builder: Builder, *, version: str = "1.4.1") -> dict[str, Address]:
    """Singleton, proxy factory, batch library and fallback handler, by their names in the address book."""
    package, singleton, factory = _NAMES[version]
    return {
        "safe-singleton": builder.create(package, singleton).address,
        "safe-proxy-factory": builder.create(package, factory).address,
        "safe-multi-send-call-only": builder.create(package, "MultiSendCallOnly").address,
        "safe-fallback-handler": builder.create(package, "CompatibilityFallbackHandler").address,
    }


def deploy_safe(
    chain: Chain,
    book: dict[str, Address],
    owners: Sequence[str],
    threshold: int,
    *,
    salt: int = 0,
    version: str = "1.4.1",
) -> Contract:
    """
    A new Safe of `owners`, `threshold` of whom must sign; returns it with the interface of its version.

    `book` is `World.addresses`, or the stack of `version`. The same owners, threshold and `salt` give the
    same address on one chain.
    """
    singleton = interface(f"safe-{version}", book["safe-singleton"])
    factory = interface(f"safe-proxy-factory-{version}", book["safe-proxy-factory"])
    setup = singleton.encode("setup", list(owners), threshold, ZERO, b"", book["safe-fallback-handler"], ZERO, 0, ZERO)
    logs = Builder(chain).send(factory, "createProxyWithNonce", singleton.address, setup, salt)
    created = factory.events("ProxyCreation", logs)[0]
    return singleton.at(created["proxy"])
