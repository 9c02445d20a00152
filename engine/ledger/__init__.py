"""
What happened, in balanced entries, and what follows from them.

`posting`, `lending` (with the pool's own integers in `ray`), `settlement`, `variation`, `costs`,
`dividends`, `liquidity_fees`, `liquidation`, `credit_line`, `emissions`, `depeg`, `slippage`, `transfer`
and `reversal` make entries; `balances` reads positions and cash flows back out of them, `lots` and
`profit` what was earned, `explained` and `attribution` why; `reconcile` compares them with venues; `irr`,
`xirr_batch`, `returns`, `wacc`, `capital_sensitivity`, `hurdle` and `statements` say what the money
earned and what it cost.
"""
