# pragma version 0.4.3
"""
@title The place of all collateral after Opyn Gamma's MarginPool: it takes and pays on the controller's word alone.
"""

from ethereum.ercs import IERC20

owner: address
controller: public(address)


@deploy
def __init__():
    self.owner = msg.sender


@external
def obey(controller: address):
    assert msg.sender == self.owner
    self.controller = controller


@external
def transferToPool(asset: address, user: address, amount: uint256):
    assert msg.sender == self.controller and amount > 0
    extcall IERC20(asset).transferFrom(user, self, amount)


@external
def transferToUser(asset: address, user: address, amount: uint256):
    assert msg.sender == self.controller
    extcall IERC20(asset).transfer(user, amount)
