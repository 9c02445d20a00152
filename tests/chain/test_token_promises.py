"""Tokens that are not what they are configured as: refused before anything of theirs is signed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.evm.deploy_builder import Builder, account
from adapters.evm.erc20 import Token
from adapters.evm.token_promises import hold_to_promises
from adapters.evm.wire import address
from engine.errors import ConfigError, VenueUnavailable
from engine.money import Currency
from tests.chain.own_contracts import create
from tests.chain.vault_stage import USDC, Stage, stage

pytestmark = [pytest.mark.chain]
TRUE, FALSE, NOTHING = (1).to_bytes(32), bytes(32), b""


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def odd(s: Stage, *, decimals: int = 6, fee_bps: int = 0, answer: bytes = TRUE, held: int = 10**6) -> Token:
    """A token of ours of which the Safe holds something, configured with 6 decimals."""
    someone = Builder(s.chain, account(8))
    contract = create(someone, "odd_token", 10**12, decimals, fee_bps, answer)
    if held:
        someone.send(contract, "transfer", s.holder.safe, held)
    return Token(Currency("ODD", 6), contract.address)


def test_the_tokens_of_the_desk_keep_their_promises_and_nothing_moves(s):
    before = {code: s.balance(code) for code in ("USDC", "sUSD", "WETH")}

    hold_to_promises(s.chain, s.holder.safe, list(s.tokens.values()))
    hold_to_promises(s.chain, s.holder.safe, [odd(s)])

    assert {code: s.balance(code) for code in before} == before
    assert all(before.values())


def test_other_decimals_than_configured_are_refused(s):
    with pytest.raises(ConfigError, match=r"token ODD at .* it has 18 decimals, 6 are configured"):
        hold_to_promises(s.chain, s.holder.safe, [*s.tokens.values(), odd(s, decimals=18)])
    with pytest.raises(ConfigError, match="it has 6 decimals, 18 are configured"):
        hold_to_promises(s.chain, s.holder.safe, [replace(s.tokens["USDC"], currency=Currency("USDC", 18))])


@pytest.mark.fault("F50")
def test_a_token_that_keeps_a_fee_of_every_transfer_is_refused(s):
    token = odd(s, fee_bps=100, held=10**6)  # 1 % is kept on the way in and would be on the way out
    assert token.contract.read(s.chain, "balanceOf", s.holder.safe) == 990_000

    with pytest.raises(ConfigError, match="of 990000 units sent 980100 arrive and 0 stay: it keeps a fee"):
        hold_to_promises(s.chain, s.holder.safe, [token])


@pytest.mark.fault("F50")
@pytest.mark.parametrize(("answer", "said"), [(NOTHING, "answers nothing, not true"), (FALSE, "answers 0x0000")])
def test_a_transfer_that_does_not_answer_true_is_refused(s, answer, said):
    with pytest.raises(ConfigError, match=said):
        hold_to_promises(s.chain, s.holder.safe, [odd(s, answer=answer)])


@pytest.mark.fault("F50")
def test_a_token_that_does_not_let_the_vault_go_is_refused(s):
    token = odd(s)
    code = s.chain.code(token.address).hex()
    selector = token.contract.encode("transfer", s.holder.safe, 1)[:4].hex()
    s.chain.request("anvil_setCode", token.address, "0x" + code.replace(selector, "00000000"))

    with pytest.raises(ConfigError, match="its transfer reverts"):
        hold_to_promises(s.chain, s.holder.safe, [token])


def test_what_is_no_token_is_refused(s):
    with pytest.raises(ConfigError, match="does not answer as an ERC-20 token"):
        hold_to_promises(s.chain, s.holder.safe, [Token(USDC, s.world["lyra-pricer"])])
    with pytest.raises(VenueUnavailable, match="no such contract"):
        hold_to_promises(s.chain, s.holder.safe, [Token(USDC, address(account(7).address))])


def test_on_a_chain_in_this_process_the_configured_decimals_are_still_held():
    with stage("in-process") as s:
        hold_to_promises(s.chain, s.holder.safe, list(s.tokens.values()))
        with pytest.raises(ConfigError, match="it has 6 decimals"):
            hold_to_promises(s.chain, s.holder.safe, [replace(s.tokens["USDC"], currency=Currency("USDC", 18))])
