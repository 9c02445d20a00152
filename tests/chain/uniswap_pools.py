"""A published Uniswap v3 pool for a token of our own, with liquidity over all prices."""

from decimal import Decimal, localcontext
from math import isqrt

from adapters.evm.contract import Contract
from adapters.evm.deploy_builder import Builder
from adapters.evm.world import World
from engine.orders import Address

FEE, WIDE = 3000, 887_220
NEVER = 2**40


def list_pool(
    builder: Builder, world: World, token: Contract, money: Contract, *, price: Decimal, depth: int
) -> Address:
    """
    The 30 bp pool of `token` against `money`, filled by `builder` with `depth` smallest units of `money`.

    `price` is smallest units of money per smallest unit of token.
    """
    first, second = sorted((token, money), key=lambda each: int(each.address, 16))
    with localcontext(prec=60):
        ratio = price if first is token else 1 / price
        root = isqrt(int(ratio * 2**192))
    manager = world.contract("uniswap-position-manager")
    builder.send(manager, "createAndInitializePoolIfNecessary", first.address, second.address, FEE, root)
    amounts = {token.address: int(depth / price), money.address: depth}
    for each in (first, second):
        builder.send(each, "approve", manager.address, 2**255)
    wanted = [amounts[each.address] for each in (first, second)]
    terms = (first.address, second.address, FEE, -WIDE, WIDE, *wanted, 0, 0, builder.address, NEVER)
    builder.send(manager, "mint", terms)
    return Address(world.contract("uniswap-factory").read(builder.chain, "getPool", first.address, second.address, FEE))
