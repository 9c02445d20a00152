"""Whole life cycles through the Safe on a chain in this process, where no node can be started."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from adapters.evm.world import set_eth_price
from engine.errors import OrderRejected
from engine.instruments import Cash
from engine.money import Money
from tests.chain.vault_stage import EXPIRY, SUSD, USDC, WETH, Stage, buy, debt, order, stage, supply

pytestmark = [pytest.mark.chain]


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage("in-process") as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def test_the_safe_carries_out_two_venues_in_one_batch_and_refuses_what_would_revert(s):
    lending, buying = supply("aave-cheap", WETH, "20"), order("lyra", s.put(), "10", Money.of("-2100", SUSD))

    receipt = s.run((s.lyra, buying), (s.cheap, lending))

    assert receipt.final
    assert [len(venue.read(asked, receipt)) for venue, asked in ((s.lyra, buying), (s.cheap, lending))] == [1, 1]
    assert s.vault.rehearse(s.small()) is None
    with pytest.raises(OrderRejected, match="would revert"):
        s.vault.propose(s.cheap.calls(debt("aave-cheap", USDC, "-10000000")), deadline=s.deadline())


def test_a_loan_is_secured_drawn_repaid_and_its_collateral_taken_back(s):
    before = {code: s.balance(code) for code in ("WETH", "USDC")}
    s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
    assert s.balance("USDC") - before["USDC"] == 10_000 * 10**6

    s.run((s.cheap, debt("aave-cheap", USDC, "10001")))
    assert not [name for name, units in s.cheap.balances(s.holder.safe).items() if "debt" in name and units]
    s.run((s.cheap, supply("aave-cheap", WETH, "-20")))

    interest = before["USDC"] - s.balance("USDC")
    assert 0 < interest < 10**6
    assert 0 <= s.balance("WETH") - before["WETH"] < 10**12


def test_a_swap_there_and_back_costs_the_fees_of_two_pools(s):
    before = {code: s.balance(code) for code in ("WETH", "USDC")}

    s.run((s.uniswap, buy(WETH, "1", Money.of("-2050", USDC))))
    assert s.balance("WETH") - before["WETH"] == 10**18
    s.run((s.uniswap, order("uniswap", Cash(WETH), "-1", Money.of("1950", USDC))))

    assert s.balance("WETH") == before["WETH"]
    spent = before["USDC"] - s.balance("USDC")
    fees = 2 * 2000 * 0.0005 * 10**6  # 5 bp each way; the rest is the pool's depth
    assert spent == pytest.approx(fees, rel=0.05)


def test_a_put_is_bought_and_paid_at_its_expiry(s):
    s.run((s.lyra, order("lyra", s.put(), "10", Money.of("-2100", SUSD))))
    s.chain.warp(EXPIRY)
    set_eth_price(s.chain, s.world, Decimal(1500))
    held = s.balance("sUSD")

    s.run((s.lyra, order("lyra", s.put(), "-10", Money.of("1", SUSD))))

    assert s.balance("sUSD") - held == 10 * (1800 - 1500) * 10**18
    assert s.lyra.positions(s.holder.safe) == {}
