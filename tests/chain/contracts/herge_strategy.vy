# pragma version 0.4.3
"""
@title A put strategy after Hegic Herge: struck at spot when bought, scaled where out of the money.
@notice The premium is a flat share of notional; the keeper is the price provider, prices have 8 decimals.
"""

interface Treasury:
    def totalBalance() -> uint256: view
    def totalLocked() -> uint256: view
    def lockedPremium() -> uint256: view

interface Manager:
    def isApprovedOrOwner(spender: address, number: uint256) -> bool: view

struct StrategyData:
    amount: uint128
    strike: uint128

event Acquired:
    id: indexed(uint256)
    data: StrategyData
    negativepnl: uint256
    positivepnl: uint256
    period: uint256
    additional: DynArray[Bytes[32], 1]

K: constant(uint256) = 30
keeper: address
pool: address
manager: address
scale: uint256
window: uint256
spot: public(uint256)
share: uint256
strategyData: public(HashMap[uint256, StrategyData])
positionExpiration: public(HashMap[uint256, uint32])


@deploy
def __init__(treasury: address, positions: address, price_scale: uint256, exercise_window: uint256):
    self.keeper = msg.sender
    self.pool = treasury
    self.manager = positions
    self.scale = price_scale
    self.window = exercise_window


@external
def set_market(price: uint256, premium_share: uint256):
    """Price in 8 decimals, premium in millionths of notional."""
    assert msg.sender == self.keeper
    self.spot = price
    self.share = premium_share


@external
@view
def calculateNegativepnlAndPositivepnl(
    amount: uint256, period: uint256, additional: DynArray[Bytes[32], 1]
) -> (uint128, uint128):
    return self._reserve(amount), self._premium(amount)


@external
@view
def getAvailableContracts(period: uint32, additional: DynArray[Bytes[32], 1]) -> uint256:
    free: uint256 = staticcall Treasury(self.pool).totalBalance()
    used: uint256 = staticcall Treasury(self.pool).totalLocked() + staticcall Treasury(self.pool).lockedPremium()
    if free <= used:
        return 0
    return (free - used) * 10 ** 18 // convert(self._reserve(10 ** 18), uint256)


@external
@view
def payOffAmount(number: uint256) -> uint256:
    return self._payoff(number)


@external
@view
def isPayoffAvailable(number: uint256, caller: address, recipient: address) -> bool:
    return (
        staticcall Manager(self.manager).isApprovedOrOwner(caller, number)
        and self._payoff(number) > 0
        and convert(self.positionExpiration[number], uint256) < block.timestamp + self.window
    )


@external
def create(
    number: uint256, holder: address, amount: uint256, period: uint256, additional: DynArray[Bytes[32], 1]
) -> (uint32, uint256, uint256):
    assert msg.sender == self.pool
    assert 7 * 86400 <= period and period <= 45 * 86400, "Period is wrong"
    expiration: uint32 = convert(block.timestamp + period, uint32)
    self.positionExpiration[number] = expiration
    self.strategyData[number] = StrategyData(amount=convert(amount, uint128), strike=convert(self.spot, uint128))
    negative: uint256 = convert(self._reserve(amount), uint256)
    positive: uint256 = convert(self._premium(amount), uint256)
    log Acquired(
        id=number,
        data=self.strategyData[number],
        negativepnl=negative,
        positivepnl=positive,
        period=period,
        additional=additional,
    )
    return expiration, negative, positive


@internal
@view
def _premium(amount: uint256) -> uint128:
    return convert(amount * self.spot * self.share // 10 ** 26, uint128)


@internal
@view
def _reserve(amount: uint256) -> uint128:
    return convert(convert(self._premium(amount), uint256) * K // 100, uint128)


@internal
@view
def _payoff(number: uint256) -> uint256:
    terms: StrategyData = self.strategyData[number]
    strike: uint256 = convert(terms.strike, uint256) * self.scale // 10 ** 4
    if self.spot >= strike:
        return 0
    return (strike - self.spot) * convert(terms.amount, uint256) * 10 ** 6 // 10 ** 18 // 10 ** 8
