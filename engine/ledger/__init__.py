"""
What happened, in balanced entries, and what follows from them.

`posting`, `lending`, `settlement`, `transfer` and `reversal` make entries; `balances` reads positions
and cash flows back out of them; `reconcile` compares them with venues; `irr`, `wacc`, `hurdle` and
`statements` say what the money earned and what it cost.
"""
