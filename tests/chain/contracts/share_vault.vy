# pragma version 0.4.3
"""
@title A tokenised vault after ERC-4626, with redemptions on request after ERC-7540 where `queued`.
@notice Deposits are at once; queued redemptions are paid at the price of the day they are fulfilled.
"""

from ethereum.ercs import IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event Deposit:
    sender: indexed(address)
    owner: indexed(address)
    assets: uint256
    shares: uint256

event Withdraw:
    sender: indexed(address)
    receiver: indexed(address)
    owner: indexed(address)
    assets: uint256
    shares: uint256

event RedeemRequest:
    controller: indexed(address)
    owner: indexed(address)
    requestId: indexed(uint256)
    sender: address
    shares: uint256

name: public(constant(String[16])) = "Test vault share"
symbol: public(constant(String[8])) = "tvUSDC"
decimals: public(immutable(uint8))
asset: public(immutable(address))
queued: public(immutable(bool))
keeper: immutable(address)

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
totalSupply: public(uint256)

waiting: HashMap[address, uint256]
claimable: HashMap[address, uint256]
claimable_assets: HashMap[address, uint256]
set_aside: uint256
lent: uint256


@deploy
def __init__(token: address, places: uint8, on_request: bool):
    asset = token
    decimals = places
    queued = on_request
    keeper = msg.sender


@external
@view
def totalAssets() -> uint256:
    return self._total()


@external
@view
def convertToShares(assets: uint256) -> uint256:
    return self._shares(assets, False)


@external
@view
def convertToAssets(shares: uint256) -> uint256:
    return self._assets(shares, False)


@external
@view
def maxDeposit(receiver: address) -> uint256:
    return max_value(uint256)


@external
@view
def maxMint(receiver: address) -> uint256:
    return max_value(uint256)


@external
@view
def maxRedeem(owner: address) -> uint256:
    if queued:
        return self.claimable[owner]
    return min(self.balanceOf[owner], self._shares(self._liquid(), False))


@external
@view
def maxWithdraw(owner: address) -> uint256:
    if queued:
        return self.claimable_assets[owner]
    return min(self._assets(self.balanceOf[owner], False), self._liquid())


@external
@view
def previewDeposit(assets: uint256) -> uint256:
    return self._shares(assets, False)


@external
@view
def previewMint(shares: uint256) -> uint256:
    return self._assets(shares, True)


@external
@view
def previewWithdraw(assets: uint256) -> uint256:
    assert not queued  # ERC-7540: previews of a requested redemption revert
    return self._shares(assets, True)


@external
@view
def previewRedeem(shares: uint256) -> uint256:
    assert not queued
    return self._assets(shares, False)


@external
def deposit(assets: uint256, receiver: address) -> uint256:
    shares: uint256 = self._shares(assets, False)
    self._put_in(assets, shares, receiver)
    return shares


@external
def mint(shares: uint256, receiver: address) -> uint256:
    assets: uint256 = self._assets(shares, True)
    self._put_in(assets, shares, receiver)
    return assets


@external
def withdraw(assets: uint256, receiver: address, owner: address) -> uint256:
    assert not queued, "claim by shares"
    shares: uint256 = self._shares(assets, True)
    self._take_out(assets, shares, receiver, owner)
    return shares


@external
def redeem(shares: uint256, receiver: address, owner: address) -> uint256:
    if queued:
        return self._claim(shares, receiver, owner)
    assets: uint256 = self._assets(shares, False)
    self._take_out(assets, shares, receiver, owner)
    return assets


@external
def requestRedeem(shares: uint256, controller: address, owner: address) -> uint256:
    assert queued and owner == msg.sender and controller == msg.sender
    self.balanceOf[owner] -= shares
    self.balanceOf[self] += shares
    self.waiting[controller] += shares
    log Transfer(sender=owner, receiver=self, value=shares)
    log RedeemRequest(controller=controller, owner=owner, requestId=0, sender=msg.sender, shares=shares)
    return 0


@external
@view
def pendingRedeemRequest(request: uint256, controller: address) -> uint256:
    return self.waiting[controller]


@external
@view
def claimableRedeemRequest(request: uint256, controller: address) -> uint256:
    return self.claimable[controller]


@external
def fulfil(controller: address):
    """Pay a waiting redemption at today's price."""
    assert msg.sender == keeper
    shares: uint256 = self.waiting[controller]
    assets: uint256 = self._assets(shares, False)
    assert assets <= self._liquid(), "illiquid"
    self.waiting[controller] = 0
    self.balanceOf[self] -= shares
    self.totalSupply -= shares
    self.set_aside += assets
    self.claimable[controller] += shares
    self.claimable_assets[controller] += assets
    log Transfer(sender=self, receiver=empty(address), value=shares)


@external
def lend(amount: uint256):
    """Assets at work elsewhere: still counted, not liquid."""
    assert msg.sender == keeper
    self.lent += amount
    extcall IERC20(asset).transfer(keeper, amount)


@external
def write_off(amount: uint256):
    """A loss on assets at work."""
    assert msg.sender == keeper
    self.lent -= amount


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, value=amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
@view
def _liquid() -> uint256:
    return staticcall IERC20(asset).balanceOf(self) - self.set_aside


@internal
@view
def _total() -> uint256:
    return self._liquid() + self.lent


@internal
@view
def _shares(assets: uint256, up: bool) -> uint256:
    top: uint256 = assets * (self.totalSupply + 10 ** convert(decimals - 6, uint256))
    bottom: uint256 = self._total() + 1
    return (top + bottom - 1) // bottom if up else top // bottom


@internal
@view
def _assets(shares: uint256, up: bool) -> uint256:
    top: uint256 = shares * (self._total() + 1)
    bottom: uint256 = self.totalSupply + 10 ** convert(decimals - 6, uint256)
    return (top + bottom - 1) // bottom if up else top // bottom


@internal
def _put_in(assets: uint256, shares: uint256, receiver: address):
    extcall IERC20(asset).transferFrom(msg.sender, self, assets)
    self.totalSupply += shares
    self.balanceOf[receiver] += shares
    log Transfer(sender=empty(address), receiver=receiver, value=shares)
    log Deposit(sender=msg.sender, owner=receiver, assets=assets, shares=shares)


@internal
def _take_out(assets: uint256, shares: uint256, receiver: address, owner: address):
    assert owner == msg.sender
    assert assets <= self._liquid(), "ERC4626: redeem more than max"
    self.balanceOf[owner] -= shares
    self.totalSupply -= shares
    extcall IERC20(asset).transfer(receiver, assets)
    log Transfer(sender=owner, receiver=empty(address), value=shares)
    log Withdraw(sender=msg.sender, receiver=receiver, owner=owner, assets=assets, shares=shares)


@internal
def _claim(shares: uint256, receiver: address, controller: address) -> uint256:
    assert controller == msg.sender
    assets: uint256 = self.claimable_assets[controller] * shares // self.claimable[controller]
    self.claimable[controller] -= shares
    self.claimable_assets[controller] -= assets
    self.set_aside -= assets
    extcall IERC20(asset).transfer(receiver, assets)
    log Withdraw(sender=msg.sender, receiver=receiver, owner=controller, assets=assets, shares=shares)
    return assets
