# pragma version 0.4.3
"""
@title An option token after Opyn Gamma's Otoken: fixed terms, minted and burnt by the controller, 8 decimals.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

decimals: public(constant(uint8)) = 8
controller: public(immutable(address))
collateralAsset: public(immutable(address))
underlyingAsset: public(immutable(address))
strikeAsset: public(immutable(address))
strikePrice: public(immutable(uint256))
expiryTimestamp: public(immutable(uint256))
isPut: public(immutable(bool))
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
totalSupply: public(uint256)


@deploy
def __init__(owner: address, collateral: address, underlying: address, strike_asset: address, strike: uint256, expiry: uint256, put: bool):
    controller = owner
    collateralAsset = collateral
    underlyingAsset = underlying
    strikeAsset = strike_asset
    strikePrice = strike
    expiryTimestamp = expiry
    isPut = put


@external
@view
def getOtokenDetails() -> (address, address, address, uint256, uint256, bool):
    return collateralAsset, underlyingAsset, strikeAsset, strikePrice, expiryTimestamp, isPut


@external
def mintOtoken(account: address, amount: uint256):
    assert msg.sender == controller, "Otoken: Only Controller can mint Otokens"
    self.totalSupply += amount
    self.balanceOf[account] += amount
    log Transfer(sender=empty(address), receiver=account, value=amount)


@external
def burnOtoken(account: address, amount: uint256):
    assert msg.sender == controller, "Otoken: Only Controller can burn Otokens"
    self.balanceOf[account] -= amount
    self.totalSupply -= amount
    log Transfer(sender=account, receiver=empty(address), value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)
