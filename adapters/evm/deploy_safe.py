"""The Safe 1.4.1 stack, and new Safes from it."""

from collections.abc import Sequence

from adapters.evm.chain import Chain
from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import ZERO, Builder, interface
from engine.orders import Address

PACKAGE = "safe-contracts"


def deploy_safe_stack(builder: Builder) -> dict[str, Address]:
    """Singleton, proxy factory, batch library and fallback handler, by their names in the address book."""
    create = builder.create
    return {
        "safe-singleton": create(PACKAGE, "Safe").address,
        "safe-proxy-factory": create(PACKAGE, "SafeProxyFactory").address,
        "safe-multi-send-call-only": create(PACKAGE, "MultiSendCallOnly").address,
        "safe-fallback-handler": create(PACKAGE, "CompatibilityFallbackHandler").address,
    }


def deploy_safe(
    chain: Chain, book: dict[str, Address], owners: Sequence[str], threshold: int, *, salt: int = 0
) -> Contract:
    """
    A new Safe of `owners`, `threshold` of whom must sign; returns it with the ``safe-1.4.1`` interface.

    `book` is `World.addresses`. The same owners, threshold and `salt` give the same address on one chain.
    """
    singleton = interface("safe-1.4.1", book["safe-singleton"])
    factory = interface("safe-proxy-factory-1.4.1", book["safe-proxy-factory"])
    setup = singleton.encode("setup", list(owners), threshold, ZERO, b"", book["safe-fallback-handler"], ZERO, 0, ZERO)
    logs = Builder(chain).send(factory, "createProxyWithNonce", singleton.address, setup, salt)
    created = factory.events("ProxyCreation", logs)[0]
    return singleton.at(created["proxy"])
