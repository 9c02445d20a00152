"""`--mark`, the option of every question that is asked about a book."""

import typer

MARKS: list[str] = typer.Option(
    [], "--mark", help='What the market does not quote: "VIXY share=23.4", "perp-v2 WETH perp=2250,funding=10%".'
)
