# pragma version ~=0.4.3
"""
@title A token that keeps a fee of every transfer and logs the whole amount, as some do.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


balanceOf: public(HashMap[address, uint256])
fee_bps: uint256


@deploy
def __init__(supply: uint256, fee_bps: uint256):
    self.balanceOf[msg.sender] = supply
    self.fee_bps = fee_bps


@external
def transfer(to: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount - amount * self.fee_bps // 10_000
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    return True
