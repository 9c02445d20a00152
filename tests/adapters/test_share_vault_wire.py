from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.erc20 import Token
from adapters.evm.share_vault_wire import ListedVault, dealing, mint, permits, redeem, request
from adapters.evm.wire import address
from adapters.safe.allow import AllowList
from engine.errors import OrderRejected
from engine.money import Currency, Money
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve

USDC = Token(Currency("USDC", 6), address("0x" + "a1" * 20))
SAFE, OTHER = address("0x" + "5a" * 20), address("0x" + "99" * 20)
VAULT = ListedVault("yvUSDC", address("0x" + "46" * 20), USDC, 18)
SLOW = ListedVault("slow", address("0x" + "47" * 20), USDC, 18, queued=True)


def order(vault: ListedVault, quantity: str, limit: str) -> Order:
    bound = Money.of(limit, USDC.currency)
    leg = OrderLeg(vault.share, Decimal(quantity))
    return Order(OrderId("o"), "vaults", Sleeve.DEFI, "x", (leg,), bound, bound, "")


def test_words_and_selectors_are_those_of_the_standards():
    buys = dealing([VAULT, SLOW], order(VAULT, "1000", "-1250"))
    sells = dealing([VAULT, SLOW], order(SLOW, "-400", "499"))
    calls = (*mint(buys, SAFE), *request(sells, SAFE), *redeem(sells, SAFE))

    assert [call.description for call in calls] == [
        "let yvUSDC take up to 1,250 USDC",
        "buy 1,000 yvUSDC of its vault",
        "let yvUSDC take no more USDC",
        "ask to redeem 400 slow at the price of the day it is fulfilled",
        "redeem 400 slow for USDC",
    ]
    # mint(uint256,address), requestRedeem(uint256,address,address), redeem(uint256,address,address)
    assert [calls[at].data[:4].hex() for at in (1, 3, 4)] == ["94bf804d", "7d41c86e", "ba087652"]
    assert AllowList(permits([VAULT, SLOW], SAFE)).described(calls) == calls


def test_a_vault_without_a_queue_is_never_asked():
    asked = replace(dealing([VAULT, SLOW], order(SLOW, "-1", "1")))

    with pytest.raises(OrderRejected, match="not on the list"):
        AllowList(permits([VAULT], SAFE)).described(request(asked, SAFE))


@pytest.mark.parametrize(("quantity", "limit"), [("1", "1"), ("-1", "-1"), ("0", "1"), ("1", "0")])
def test_an_order_without_a_bound_is_refused(quantity, limit):
    with pytest.raises(OrderRejected, match="no bound"):
        dealing([VAULT], order(VAULT, quantity, limit))


@pytest.mark.parametrize("function", ["mint", "redeem"])
def test_nothing_at_all_is_never_signed(function):
    call = mint(dealing([VAULT], order(VAULT, "1", "-2")), SAFE)[1]
    arguments = (0, SAFE) if function == "mint" else (0, SAFE, SAFE)

    with pytest.raises(OrderRejected, match="moves no shares"):
        AllowList(permits([VAULT], SAFE)).described([replace(call, data=VAULT.contract.encode(function, *arguments))])


def test_another_vaults_share_is_refused():
    with pytest.raises(OrderRejected, match="not listed"):
        dealing([VAULT], order(ListedVault("else", OTHER, USDC), "1", "-2"))
