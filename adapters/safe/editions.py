"""The published Safes we speak to, each with its interface and the code its parts must have."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.evm.abi import Abi, RawLog
from contracts_abi import load

PROXIES = frozenset(
    {
        "0xd7d408ebcd99b2b70be43e20253d6d92a8ea8fab29bd3be7f55b10032331fb4c",  # SafeProxy 1.4.1
        "0xb89c1b3bdf2cf8827818646bce9a8f6e372885f8c55e5c07acbd307cb133b000",  # GnosisSafeProxy 1.3.0
    }
)
"""Hashes of a Safe's own code: a proxy that only delegates to its slot 0. An upgraded Safe keeps its first one."""

MULTI_SENDS = frozenset(
    {
        "0xecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939",  # 1.4.1
        "0xa9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",  # 1.3.0
    }
)
"""Hashes of MultiSendCallOnly: the only code a Safe may delegate a call to."""


HANDLERS = frozenset(
    {
        "0x7c6007a5d711cea8dfd5d91f5940ec29c7f200fe511eb1fc1397b367af3c42f9",  # 1.4.1
        "0x03e69f7ce809e81687c69b19a7d7cca45b6d551ffdec73d9bb87178476de1abf",  # 1.3.0
    }
)
"""Hashes of CompatibilityFallbackHandler, which answers for the Safe what the Safe itself does not know."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of the Safe; `singletons` are hashes of its published code, with and without L2 events."""

    version: str
    singletons: frozenset[str]

    @property
    def interface(self) -> Abi:
        """Its ABI: events of 1.3.0 carry in their data what 1.4.1 indexes."""
        return load(f"safe-{self.version}")


_1_4_1 = Edition(
    "1.4.1",
    frozenset(
        {
            "0x1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4",  # Safe
            "0xb1f926978a0f44a2c0ec8fe822418ae969bd8c3f18d61e5103100339894f81ff",  # SafeL2
        }
    ),
)
_1_3_0 = Edition(
    "1.3.0",
    frozenset(
        {
            "0xbba688fbdb21ad2bb58bc320638b43d94e7d100f6f3ebaab0a4e4de6304b1c2e",  # GnosisSafe
            "0x21842597390c4c6e3c1239e434a682b054bd9548eee5e9b1d6a4482731023c0f",  # GnosisSafeL2
        }
    ),
)
EDITIONS: Mapping[str, Edition] = {edition.version: edition for edition in (_1_4_1, _1_3_0)}
"""
The versions we speak, by what `VERSION()` answers.

Source
------
keccak256 of the packages' `deployedBytecode`; `safe-global/safe-deployments` lists the same hashes.
"""


def named_hash(log: RawLog) -> str:
    """
    The Safe transaction hash in an `ExecutionSuccess` or `ExecutionFailure`, of either version.

    >>> named_hash({"topics": ["0xe", "0x" + "ab" * 32], "data": "0x"}) == "0x" + "ab" * 32
    True
    """
    return str(log["topics"][1]) if len(log["topics"]) > 1 else str(log["data"])[:66]
