"""Progress as a list of steps with elapsed time, and the closing lines of a run."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.output import note, say

if TYPE_CHECKING:
    from engine.report.blended import BlendedReport


class Steps:
    """Says what is done as it gets done; silent on standard output when a JSON document is wanted."""

    def __init__(self, *, quiet: bool) -> None:
        self._tell = note if quiet else say
        self._began = time.monotonic()

    def done(self, step: str, words: str) -> None:
        """A finished step, with the time since the start."""
        self._tell(f"[{time.monotonic() - self._began:5.1f} s] {step:<11} {words}")

    def say(self, words: str) -> None:
        """A line under the step in hand."""
        self._tell(f"            {words}")

    def progress(self, step: str, state: str) -> None:
        """A step of a plan that changed its state; only its end is worth a line."""
        if state != "now":
            self.done(state, step)

    def summary(self, report: "BlendedReport", digest: str, path: Path, *, owners: dict[str, int]) -> dict[str, Any]:
        """Print the figures a reader looks for first, and return them as the JSON document."""
        from engine.report.tables import period_return

        headline = report.headline
        for total in report.ledger:
            self.say(f"{total.account:<34} {total.held}")
        self.say(f"NAV {headline.nav}; " + ", ".join(f"{e.engine} {e.nav}" for e in headline.by_engine))
        self.say(f"blended IRR {period_return(headline.irr)}; WACC {headline.wacc:.2%} a year")
        self.say(f"sleeve {headline.sleeve_share:.2%} of NAV, cap {headline.sleeve_cap:.0%}; {len(owners)} owners")
        self._tell("next: open the report; `hedge market inspect FILE` on a chain of yours; `hedge init DIR`")
        irr = headline.irr
        return {
            "schema": "hedge.demo/1",
            "status": "done",
            "plan_digest": digest,
            "irr": irr.rate,
            "irr_annualised": irr.annualised,
            "irr_days": irr.days,
            "wacc": headline.wacc,
            "nav_usd": str(headline.nav.amount),
            "sleeve_share": headline.sleeve_share,
            "modelled": list(report.modelled),
            "report": str(path),
            "next": ["open the report", "hedge market inspect FILE", "hedge init DIR"],
        }
