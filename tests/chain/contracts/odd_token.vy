# pragma version ~=0.4.3
"""
@title A token with oddities of live ones: a fee of every transfer under an event of the whole, and any answer.
@notice `answer` is what a transfer returns as raw bytes: 32 bytes of 1 (EIP-20), of 0, or nothing at all (USDT).
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


balanceOf: public(HashMap[address, uint256])
decimals: public(uint8)
fee_bps: uint256
answer: Bytes[32]


@deploy
def __init__(supply: uint256, decimals: uint8, fee_bps: uint256, answer: Bytes[32]):
    self.balanceOf[msg.sender] = supply
    self.decimals = decimals
    self.fee_bps = fee_bps
    self.answer = answer


@external
@raw_return
def transfer(to: address, amount: uint256) -> Bytes[32]:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount - amount * self.fee_bps // 10_000
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    return self.answer
