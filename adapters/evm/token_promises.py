"""
Tokens held against what ERC-20 promises, before anything is signed that moves them.

A plan's numbers are units of tokens as they are configured: a token with other decimals, one that keeps a part
of every transfer, and one that answers a transfer with nothing or with false would each make the books wrong by
what they say of themselves. What each does is tried on the latest block as the vault itself; nothing stays.

Source
------
EIP-20, `transfer` and `decimals`: "returns (bool success)", "callers MUST handle false".
"""

from collections.abc import Sequence

from adapters.evm.batch_reads import packed, unpacked
from adapters.evm.chain import Chain
from adapters.evm.contract import Query
from adapters.evm.erc20 import Token
from adapters.evm.node_replies import call_terms, octets, result_in
from adapters.evm.reverts import reason_of
from adapters.evm.rpc import understood
from engine.errors import ConfigError
from engine.orders import Address

_SOMEBODY = Address("0x00000000000000000000000000000000FEEdBEeF")
_TRUE = (1).to_bytes(32)

# As `batch_reads.PROGRAM`, but each call is a CALL without value, made by the account it stands at.
_PROGRAM = bytes.fromhex(
    "60006000"
    "5b3682101560" + "4a" + "57"
    "81358060a01c"
    "80846020018460200137"
    "600060008285602001" + "6000" + "865af1"  # make it, with no value
    "3d60011b178352"
    "3d6000846020013e"
    "9050820160200191503d01602001"
    "6004565b6000f3"
)


def hold_to_promises(chain: Chain, vault: Address, tokens: Sequence[Token]) -> None:
    """
    Refuse tokens whose decimals are not the configured ones, or whose transfers are not ERC-20's.

    Transfers are tried with all that `vault` holds, which is evidence for those it holds; a chain in this process
    takes no overrides and tries none. Raises `ConfigError` naming token and fault, or `VenueUnavailable`.
    """
    looks = [(token.contract.query("decimals"), token.contract.query("balanceOf", vault)) for token in tokens]
    answers = chain.answers([query for pair in looks for query in pair])
    held = dict(zip(tokens, answers[1::2], strict=True))
    for token, places in zip(tokens, answers[::2], strict=True):
        if isinstance(places, Exception) or isinstance(held[token], Exception):
            raise _refused(token, "it does not answer as an ERC-20 token")
        if places != token.currency.decimals:
            raise _refused(token, f"it has {places} decimals, {token.currency.decimals} are configured")
    tried = [token for token in tokens if held[token]] if chain.node.takes_overrides else []
    there = {vault: {"code": "0x" + _PROGRAM.hex()}}
    steps = [packed(_steps(token, vault, held[token])) for token in tried]
    replies = chain.node.ask_many([("eth_call", (call_terms(vault, step), "latest", there)) for step in steps])
    for token, reply in zip(tried, replies, strict=True):
        with understood("eth_call"):
            answers = unpacked(octets(result_in(reply)), 4)
        _require_whole(token, held[token], answers)


def _steps(token: Token, vault: Address, units: int) -> tuple[Query, ...]:
    contract = token.contract
    look = contract.query("balanceOf", _SOMEBODY)
    return look, contract.query("transfer", _SOMEBODY, units), look, contract.query("balanceOf", vault)


def _require_whole(token: Token, units: int, answers: Sequence[tuple[bool, bytes]]) -> None:
    before, moved, after, left = answers
    if not moved[0]:
        raise _refused(token, f"its transfer reverts: {reason_of(moved[1])}")
    if moved[1] != _TRUE:
        answer = "nothing" if not moved[1] else "0x" + moved[1][:32].hex()
        raise _refused(token, f"its transfer answers {answer}, not true")
    had, has, rest = (int(token.contract.decode("balanceOf", data)) for _, data in (before, after, left))
    arrived = has - had
    if (arrived, rest) != (units, 0):
        raise _refused(token, f"of {units} units sent {arrived} arrive and {rest} stay: it keeps a fee, or rebases")


def _refused(token: Token, why: str) -> ConfigError:
    return ConfigError(
        f"token {token.currency} at {token.address} refused", why=why, todo="correct the configured token; sign nothing"
    )
