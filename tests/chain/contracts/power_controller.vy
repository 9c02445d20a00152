# pragma version 0.4.3
"""
@title A power perpetual's controller after squeeth: funding in the normalisation factor, settlement at shutdown.
@notice The index is the square of ether's price; prices come from a keeper instead of pool averages.
"""

interface Token:
    def burn(holder: address, amount: uint256): nonpayable

event NormalizationFactorUpdated:
    oldNormFactor: uint256
    newNormFactor: uint256
    lastModificationTimestamp: uint256
    timestamp: uint256

event Shutdown:
    indexForSettlement: uint256

event RedeemLong:
    sender: address
    wPowerPerpAmount: uint256
    payoutAmount: uint256

ONE: constant(uint256) = 10 ** 18
SCALE: constant(uint256) = 10 ** 4
FUNDING_PERIOD: public(constant(uint256)) = 420 * 3600
LOWER: constant(uint256) = 8 * 10 ** 17
UPPER: constant(uint256) = 14 * 10 ** 17

wPowerPerp: public(address)
normalizationFactor: public(uint256)
lastFundingUpdateTimestamp: public(uint256)
indexForSettlement: public(uint256)
isShutDown: public(bool)
keeper: address
coin_price: uint256
token_price: uint256


@deploy
@payable
def __init__(token: address):
    self.wPowerPerp = token
    self.normalizationFactor = ONE
    self.lastFundingUpdateTimestamp = block.timestamp
    self.keeper = msg.sender


@external
def set_prices(coin: uint256, claim: uint256):
    """The coin in dollars, and the token in coins, 18 decimals."""
    assert msg.sender == self.keeper
    self.coin_price = coin
    self.token_price = claim


@external
@view
def getIndex(period: uint32) -> uint256:
    return self._index()


@external
@view
def getDenormalizedMark(period: uint32) -> uint256:
    return self._mark(self._expected())


@external
@view
def getExpectedNormalizationFactor() -> uint256:
    return self._expected()


@external
def applyFunding():
    assert not self.isShutDown
    self._apply()


@external
def shutDown():
    assert msg.sender == self.keeper and not self.isShutDown
    self._apply()
    self.isShutDown = True
    self.indexForSettlement = self.coin_price // SCALE
    log Shutdown(indexForSettlement=self.indexForSettlement)


@external
def redeemLong(amount: uint256):
    assert self.isShutDown, "C3"
    extcall Token(self.wPowerPerp).burn(msg.sender, amount)
    paid: uint256 = amount * self.normalizationFactor * self.indexForSettlement // 10 ** 36
    raw_call(msg.sender, b"", value=paid)
    log RedeemLong(sender=msg.sender, wPowerPerpAmount=amount, payoutAmount=paid)


@internal
def _apply():
    before: uint256 = self.normalizationFactor
    self.normalizationFactor = self._expected()
    log NormalizationFactorUpdated(
        oldNormFactor=before,
        newNormFactor=self.normalizationFactor,
        lastModificationTimestamp=self.lastFundingUpdateTimestamp,
        timestamp=block.timestamp,
    )
    self.lastFundingUpdateTimestamp = block.timestamp


@internal
@view
def _index() -> uint256:
    scaled: uint256 = self.coin_price // SCALE
    return scaled * scaled // ONE


@internal
@view
def _mark(factor: uint256) -> uint256:
    """The token's price in scaled dollars, per unit that funding has not eaten."""
    return self.token_price * (self.coin_price // SCALE) // factor


@internal
@view
def _expected() -> uint256:
    """old * (index / mark) ^ (seconds / funding period), the mark kept within 0.8 and 1.4 of the index."""
    passed: uint256 = block.timestamp - self.lastFundingUpdateTimestamp
    if passed == 0 or self.isShutDown or self.coin_price == 0:
        return self.normalizationFactor
    index: uint256 = self._index()
    mark: uint256 = max(index * LOWER // ONE, min(index * UPPER // ONE, self._mark(self.normalizationFactor)))
    power: int256 = self._ln(index * ONE // mark) * convert(passed, int256) // convert(FUNDING_PERIOD, int256)
    return self.normalizationFactor * self._exp(power) // ONE


@internal
@pure
def _ln(x: uint256) -> int256:
    """Twice the area tangent of (x - 1) / (x + 1), as a series: x lies between 0.7 and 1.3."""
    one: int256 = 10 ** 18
    z: int256 = (convert(x, int256) - one) * one // (convert(x, int256) + one)
    square: int256 = z * z // one
    term: int256 = z
    total: int256 = 0
    for odd: int256 in range(1, 30):
        if odd % 2 == 1:
            total += term // odd
            term = term * square // one
    return 2 * total


@internal
@pure
def _exp(x: int256) -> uint256:
    """The series at x / 64, squared six times."""
    one: int256 = 10 ** 18
    part: int256 = x // 64
    term: int256 = one
    total: int256 = one
    for n: int256 in range(1, 16):
        term = term * part // one // n
        total += term
    for n: uint256 in range(6):
        total = total * total // one
    return convert(total, uint256)
