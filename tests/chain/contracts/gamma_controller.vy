# pragma version 0.4.3
"""
@title A controller after Opyn Gamma v2: vaults with one short fully covered, cash settlement at a final price.
@notice Covers opening, collateral in and out, minting, burning, redeeming and settling; its keeper is the oracle.
"""

interface Otoken:
    def mintOtoken(account: address, amount: uint256): nonpayable
    def burnOtoken(account: address, amount: uint256): nonpayable
    def getOtokenDetails() -> (address, address, address, uint256, uint256, bool): view

interface MarginPool:
    def transferToPool(asset: address, user: address, amount: uint256): nonpayable
    def transferToUser(asset: address, user: address, amount: uint256): nonpayable

struct ActionArgs:
    actionType: uint8
    owner: address
    secondAddress: address
    asset: address
    vaultId: uint256
    amount: uint256
    index: uint256
    data: Bytes[32]

struct Vault:
    shortOtokens: DynArray[address, 1]
    longOtokens: DynArray[address, 1]
    collateralAssets: DynArray[address, 1]
    shortAmounts: DynArray[uint256, 1]
    longAmounts: DynArray[uint256, 1]
    collateralAmounts: DynArray[uint256, 1]

struct Terms:
    collateral: address
    underlying: address
    strike: uint256
    expiry: uint256
    put: bool

event VaultOpened:
    accountOwner: indexed(address)
    vaultId: uint256
    vaultType: indexed(uint256)

event CollateralAssetDeposited:
    asset: indexed(address)
    accountOwner: indexed(address)
    sender: indexed(address)
    vaultId: uint256
    amount: uint256

event ShortOtokenMinted:
    otoken: indexed(address)
    AccountOwner: indexed(address)
    to: indexed(address)
    vaultId: uint256
    amount: uint256

event Redeem:
    otoken: indexed(address)
    redeemer: indexed(address)
    receiver: indexed(address)
    collateralAsset: address
    otokenBurned: uint256
    payout: uint256

event VaultSettled:
    accountOwner: indexed(address)
    oTokenAddress: indexed(address)
    to: address
    payout: uint256
    vaultId: uint256
    vaultType: indexed(uint256)

OPEN: constant(uint8) = 0
MINT: constant(uint8) = 1
DEPOSIT: constant(uint8) = 5
SETTLE: constant(uint8) = 7
REDEEM: constant(uint8) = 8

keeper: address
pool: public(address)
prices: HashMap[address, HashMap[uint256, uint256]]
final: HashMap[address, HashMap[uint256, bool]]
getAccountVaultCounter: public(HashMap[address, uint256])
vaults: HashMap[address, HashMap[uint256, Vault]]


@deploy
def __init__(margin_pool: address):
    self.keeper = msg.sender
    self.pool = margin_pool


@external
def set_expiry_price(asset: address, expiry: uint256, price: uint256, finalized: bool):
    assert msg.sender == self.keeper
    self.prices[asset][expiry] = price
    self.final[asset][expiry] = finalized


@external
@view
def getExpiryPrice(asset: address, expiry: uint256) -> (uint256, bool):
    return self.prices[asset][expiry], self.final[asset][expiry]


@external
@view
def isSettlementAllowed(otoken: address) -> bool:
    return self._settles(self._terms(otoken))


@external
@view
def getPayout(otoken: address, amount: uint256) -> uint256:
    return self._rate(self._terms(otoken)) * amount // 10 ** 8


@external
@view
def getProceed(owner: address, number: uint256) -> uint256:
    return self._excess(self.vaults[owner][number])


@external
@view
def getVault(owner: address, number: uint256) -> Vault:
    return self.vaults[owner][number]


@external
def operate(actions: DynArray[ActionArgs, 6]):
    touched: uint256 = 0
    for act: ActionArgs in actions:
        if act.actionType == REDEEM:
            self._redeem(act)
            continue
        assert act.owner == msg.sender, "C6"
        assert touched == 0 or touched == act.vaultId, "C14"
        touched = act.vaultId
        if act.actionType == OPEN:
            self._open(act)
        elif act.actionType == DEPOSIT:
            self._deposit(act)
        elif act.actionType == MINT:
            self._mint(act)
        elif act.actionType == SETTLE:
            self._settle(act)
        else:
            raise "not covered here"
    if touched != 0:
        self._covered(self.vaults[msg.sender][touched])


@internal
def _open(act: ActionArgs):
    self.getAccountVaultCounter[act.owner] += 1
    assert act.vaultId == self.getAccountVaultCounter[act.owner], "C15"
    log VaultOpened(accountOwner=act.owner, vaultId=act.vaultId, vaultType=0)


@internal
def _deposit(act: ActionArgs):
    assert act.vaultId <= self.getAccountVaultCounter[act.owner], "C35"
    assert act.secondAddress == msg.sender, "C17"
    self.vaults[act.owner][act.vaultId].collateralAssets = [act.asset]
    self.vaults[act.owner][act.vaultId].collateralAmounts = [act.amount]
    extcall MarginPool(self.pool).transferToPool(act.asset, act.secondAddress, act.amount)
    log CollateralAssetDeposited(
        asset=act.asset, accountOwner=act.owner, sender=act.secondAddress, vaultId=act.vaultId, amount=act.amount
    )


@internal
def _mint(act: ActionArgs):
    assert block.timestamp < self._terms(act.asset).expiry, "C24"
    self.vaults[act.owner][act.vaultId].shortOtokens = [act.asset]
    self.vaults[act.owner][act.vaultId].shortAmounts = [act.amount]
    extcall Otoken(act.asset).mintOtoken(act.secondAddress, act.amount)
    log ShortOtokenMinted(
        otoken=act.asset, AccountOwner=act.owner, to=act.secondAddress, vaultId=act.vaultId, amount=act.amount
    )


@internal
def _redeem(act: ActionArgs):
    terms: Terms = self._terms(act.asset)
    assert block.timestamp >= terms.expiry, "C28"
    assert self._settles(terms), "C29"
    payout: uint256 = self._rate(terms) * act.amount // 10 ** 8
    extcall Otoken(act.asset).burnOtoken(msg.sender, act.amount)
    extcall MarginPool(self.pool).transferToUser(terms.collateral, act.secondAddress, payout)
    log Redeem(
        otoken=act.asset,
        redeemer=msg.sender,
        receiver=act.secondAddress,
        collateralAsset=terms.collateral,
        otokenBurned=act.amount,
        payout=payout,
    )


@internal
def _settle(act: ActionArgs):
    vault: Vault = self.vaults[act.owner][act.vaultId]
    assert len(vault.shortOtokens) > 0, "C30"
    terms: Terms = self._terms(vault.shortOtokens[0])
    assert block.timestamp >= terms.expiry, "C31"
    assert self._settles(terms), "C29"
    payout: uint256 = self._excess(vault)
    self.vaults[act.owner][act.vaultId] = empty(Vault)
    extcall MarginPool(self.pool).transferToUser(terms.collateral, act.secondAddress, payout)
    log VaultSettled(
        accountOwner=act.owner,
        oTokenAddress=vault.shortOtokens[0],
        to=act.secondAddress,
        payout=payout,
        vaultId=act.vaultId,
        vaultType=0,
    )


@internal
@view
def _terms(otoken: address) -> Terms:
    collateral: address = empty(address)
    underlying: address = empty(address)
    strike_asset: address = empty(address)
    strike: uint256 = 0
    expiry: uint256 = 0
    put: bool = False
    collateral, underlying, strike_asset, strike, expiry, put = staticcall Otoken(otoken).getOtokenDetails()
    return Terms(collateral=collateral, underlying=underlying, strike=strike, expiry=expiry, put=put)


@internal
@view
def _settles(terms: Terms) -> bool:
    return block.timestamp >= terms.expiry and self.final[terms.underlying][terms.expiry]


@internal
@view
def _rate(terms: Terms) -> uint256:
    """Collateral units per whole put, in a dollar of six decimals; prices have eight."""
    price: uint256 = self.prices[terms.underlying][terms.expiry]
    return (terms.strike - price) // 100 if price < terms.strike else 0


@internal
@view
def _excess(vault: Vault) -> uint256:
    owed: uint256 = self._rate(self._terms(vault.shortOtokens[0])) * vault.shortAmounts[0]
    return vault.collateralAmounts[0] - (owed + 10 ** 8 - 1) // 10 ** 8


@internal
@view
def _covered(vault: Vault):
    """A short put is covered by its whole strike, in a dollar of six decimals."""
    if len(vault.shortOtokens) == 0:
        return
    terms: Terms = self._terms(vault.shortOtokens[0])
    assert terms.put, "puts only here"
    assert vault.collateralAssets[0] == terms.collateral, "MarginCalculator: collateral asset not marginable"
    needed: uint256 = (terms.strike * vault.shortAmounts[0] + 10 ** 10 - 1) // 10 ** 10
    assert vault.collateralAmounts[0] >= needed, "C14"
