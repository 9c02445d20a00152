# pragma version 0.4.3
"""
@title A treasury after Hegic Herge's OperationalTreasury: it sells, pays off and unlocks; its own cover pool.
"""

from ethereum.ercs import IERC20

interface Strategy:
    def create(number: uint256, holder: address, amount: uint256, period: uint256, additional: DynArray[Bytes[32], 1]) -> (uint32, uint256, uint256): nonpayable
    def payOffAmount(number: uint256) -> uint256: view
    def isPayoffAvailable(number: uint256, caller: address, recipient: address) -> bool: view

interface Manager:
    def createOptionFor(holder: address) -> uint256: nonpayable

struct LockedLiquidity:
    state: uint8
    strategy: address
    negativepnl: uint128
    positivepnl: uint128
    expiration: uint32

event Paid:
    id: indexed(uint256)
    account: indexed(address)
    amount: uint256

event Expired:
    id: indexed(uint256)

token: public(address)
manager: public(address)
lockedLiquidity: public(HashMap[uint256, LockedLiquidity])
totalLocked: public(uint256)
lockedPremium: public(uint256)
availableForPayment: public(uint256)


@deploy
def __init__(asset: address, positions: address):
    self.token = asset
    self.manager = positions


@external
@view
def coverPool() -> address:
    return self


@external
@view
def totalBalance() -> uint256:
    return staticcall IERC20(self.token).balanceOf(self)


@external
def buy(strategy: address, holder: address, amount: uint256, period: uint256, additional: DynArray[Bytes[32], 1]):
    number: uint256 = extcall Manager(self.manager).createOptionFor(holder)
    expiration: uint32 = 0
    negative: uint256 = 0
    positive: uint256 = 0
    expiration, negative, positive = extcall Strategy(strategy).create(number, holder, amount, period, additional)
    self.totalLocked += negative
    self.lockedPremium += positive
    assert self.totalLocked + self.lockedPremium <= staticcall IERC20(self.token).balanceOf(self), "The negative pnl amount is too large"
    self.lockedLiquidity[number] = LockedLiquidity(
        state=1,
        strategy=strategy,
        negativepnl=convert(negative, uint128),
        positivepnl=convert(positive, uint128),
        expiration=expiration,
    )
    extcall IERC20(self.token).transferFrom(msg.sender, self, positive)


@external
def payOff(number: uint256, account: address):
    held: LockedLiquidity = self.lockedLiquidity[number]
    amount: uint256 = staticcall Strategy(held.strategy).payOffAmount(number)
    assert convert(held.expiration, uint256) > block.timestamp, "The option has already expired"
    assert staticcall Strategy(held.strategy).isPayoffAvailable(number, msg.sender, account), "You can not execute this option strat"
    self._unlock(number)
    extcall IERC20(self.token).transfer(account, amount)
    log Paid(id=number, account=account, amount=amount)


@external
def unlock(number: uint256):
    assert block.timestamp > convert(self.lockedLiquidity[number].expiration, uint256), "The expiration time has not yet come"
    self._unlock(number)
    log Expired(id=number)


@internal
def _unlock(number: uint256):
    held: LockedLiquidity = self.lockedLiquidity[number]
    assert held.state == 1, "The liquidity has already been unlocked"
    self.lockedLiquidity[number].state = 0
    self.totalLocked -= convert(held.negativepnl, uint256)
    self.lockedPremium -= convert(held.positivepnl, uint256)
