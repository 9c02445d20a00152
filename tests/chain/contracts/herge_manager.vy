# pragma version 0.4.3
"""
@title Position tokens after Hegic Herge's PositionsManager: safely minted by the treasury.
"""

interface Receiver:
    def onERC721Received(operator: address, sender: address, number: uint256, data: Bytes[32]) -> bytes4: nonpayable

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    tokenId: indexed(uint256)

owner: address
treasury: address
nextTokenId: public(uint256)
owners: HashMap[uint256, address]


@deploy
def __init__():
    self.owner = msg.sender


@external
def obey(treasury: address):
    assert msg.sender == self.owner
    self.treasury = treasury


@external
def createOptionFor(holder: address) -> uint256:
    assert msg.sender == self.treasury
    number: uint256 = self.nextTokenId
    self.nextTokenId += 1
    self.owners[number] = holder
    log Transfer(sender=empty(address), receiver=holder, tokenId=number)
    if holder.is_contract:
        answer: bytes4 = extcall Receiver(holder).onERC721Received(msg.sender, empty(address), number, b"")
        assert answer == 0x150b7a02, "ERC721: transfer to non ERC721Receiver implementer"
    return number


@external
@view
def ownerOf(number: uint256) -> address:
    assert self.owners[number] != empty(address), "ERC721: owner query for nonexistent token"
    return self.owners[number]


@external
@view
def isApprovedOrOwner(spender: address, number: uint256) -> bool:
    return self.owners[number] == spender
