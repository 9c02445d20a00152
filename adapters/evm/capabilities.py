"""What each on-chain venue can do, how its price is bounded, and against which contracts that was proven."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import ConfigError


class Proof(StrEnum):
    """The contracts that a venue's life cycle runs against in our tests."""

    PUBLISHED = "published contracts"
    OWN = "our own contracts, after the published interface and rules"
    TOKENS = "published tokens"


@dataclass(frozen=True, slots=True)
class Capability:
    """
    One venue: its adapter, protocol and home, and every call a vault must allow for it.

    `calls` maps a contract function to what it is used for and what bounds its price.
    """

    venue: str
    adapter: str
    protocol: str
    home: str
    proof: Proof
    calls: Mapping[str, str]
    limits: str


_APPROVE = "exactly what the call takes, taken back in the same batch"
_SWAPS = {
    "exactOutputSingle": "buy exactly; at most the limit is paid",
    "exactInputSingle": "sell exactly; at least the limit is received",
}

CAPABILITIES = (
    Capability(
        "lyra",
        "LyraOptions",
        "Lyra Avalon 0.1.3-alpha",
        "Optimism and Arbitrum; dormant",
        Proof.PUBLISHED,
        {
            "openPosition": "buy a listed put or call, or more of one held, at most the limit; write where allowed",
            "closePosition": "sell it back, at least the limit; buy a written one back, in part or whole",
            "settleExpiredBoard": "fix a board's settlement price; anybody may",
            "settleOptions": "pay out expired options; anybody may",
            "approve": _APPROVE,
        },
        "written ones only under terms of writing, secured in full; one sale spans one position; limit binds fees too",
    ),
    Capability(
        "aave",
        "AaveMarket",
        "Aave v3 core 1.19.3",
        "Ethereum and most rollups; live",
        Proof.PUBLISHED,
        {
            "supply": "lend a listed token",
            "withdraw": "take it back into the vault",
            "borrow": "at the variable rate, owed by the vault",
            "repay": "at most what is owed",
            "approve": _APPROVE,
        },
        "no price but the rate; stable-rate debt is never taken",
    ),
    Capability(
        "uniswap",
        "UniswapSwaps",
        "Uniswap v3 core 1.0.1, SwapRouter02 1.3.1",
        "Ethereum and most rollups; live",
        Proof.PUBLISHED,
        {**_SWAPS, "approve": _APPROVE},
        "single-pool swaps in listed pools, believed only near their own average",
    ),
    Capability(
        "uniswap-range",
        "UniswapRanges",
        "Uniswap v3 core 1.0.1, periphery 1.4.4",
        "Ethereum and most rollups; live",
        Proof.PUBLISHED,
        {
            "mint": "open a range; both tokens bounded above, and below by a price band",
            "increaseLiquidity": "add to the vault's own position, bounded alike",
            "decreaseLiquidity": "take liquidity out; both tokens at least their bounds",
            "collect": "bring tokens and swap fees into the vault",
            "approve": _APPROVE,
        },
        "one position token per range; an option-like position, its delta that of D07",
    ),
    Capability(
        "perp",
        "PerpExchange",
        "Perpetual v2 (Curie) 2.8.4",
        "Optimism; dormant",
        Proof.PUBLISHED,
        {
            "deposit": "margin in",
            "withdraw": "free margin out",
            "openPosition": "exactly that much base; quote, fee included, within the limit",
            "quitMarket": "take the closing price of a market that governance closed",
            "approve": _APPROVE,
        },
        "quoted only with margin deposited; an index of volatility is a market of its own (S26)",
    ),
    Capability(
        "vaults",
        "ShareVaults",
        "ERC-4626, ERC-7540",
        "standards",
        Proof.OWN,
        {
            "mint": "exact shares; the exact approval bounds what they cost",
            "redeem": "exact shares; no bound on chain: share-price guard, refusal below the limit, simulation",
            "requestRedeem": "ask a queued vault; no position changes until it is redeemed",
            "approve": _APPROVE,
        },
        "requests only where a vault is listed as queued; not quoted while its share price jumps",
    ),
    Capability(
        "squeeth",
        "PowerMarketVenue",
        "squeeth Controller; Uniswap v3 pool",
        "Ethereum; dormant",
        Proof.OWN,
        {**_SWAPS, "redeemLong": "settlement value in ether after shutdown", "approve": _APPROVE},
        "long only: a short takes native ether, none is opened or closed; its pool is published, its controller ours",
    ),
    Capability(
        "opyn",
        "OpynOptions",
        "Opyn Gamma v2; Uniswap v3 pool",
        "Ethereum; dormant",
        Proof.OWN,
        {
            **_SWAPS,
            "operate": "write a put on its whole strike and sell it at the limit, redeem, settle a vault",
            "approve": _APPROVE,
        },
        "write puts, buy where a pool is listed; a written put is not bought back, it stays to its final price",
    ),
    Capability(
        "hegic",
        "HegicOptions",
        "Hegic Herge",
        "Arbitrum; dormant",
        Proof.OWN,
        {
            "buy": "struck at spot when bought; the exact approval is the only bound",
            "payOff": "exercise in the money, strictly before expiry, to the vault",
            "unlock": "close an expired position; anybody may",
            "approve": _APPROVE,
        },
        "long only; pays what treasury and cover pool hold: `cover` says how much, and no mark reads it by itself",
    ),
    Capability(
        "ramp",
        "TokenTransfers",
        "ERC-20",
        "every chain",
        Proof.TOKENS,
        {"transfer": "to the one deposit address that is listed"},
        "no price",
    ),
)


def capability(venue: object) -> Capability:
    """The table of a venue, by its adapter. Raises `ConfigError` for an adapter that publishes none."""
    adapter = type(venue).__name__
    for each in CAPABILITIES:
        if each.adapter == adapter:
            return each
    raise ConfigError(f"{adapter} publishes no capabilities", why="its table is missing", todo="add it here")


def matrix() -> str:
    """
    Every venue and call as the text of `docs/venues.md`.

    >>> matrix().splitlines()[0]
    '# Venues on chain'
    """
    lines = [
        "# Venues on chain",
        "",
        "What a vault may do at each venue, what bounds its price, and what it was run against. Every venue passes",
        "the same conformance suite (`tests/adapters/conformance_onchain.py`) and its life cycle to expiry or",
        "redemption (`tests/chain/`). Venues run against our own contracts have not met the real ones in a test.",
        "",
        "| venue | protocol | home | run against | limits |",
        "|---|---|---|---|---|",
        *(f"| {c.venue} | {c.protocol} | {c.home} | {c.proof} | {c.limits} |" for c in CAPABILITIES),
        "",
        "| venue | call | use and bound | run against |",
        "|---|---|---|---|",
        *(
            f"| {c.venue} | `{call}` | {use} | {'published' if c.proof is not Proof.OWN else 'own'} |"
            for c in CAPABILITIES
            for call, use in c.calls.items()
        ),
    ]
    return "\n".join(lines) + "\n"
