"""What the evidence of one close says: regime, rules that stand, votes, and what follows for risk and hedge."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from engine.policy.consensus import Ballot, Decision, Quorum, Stance, Verdict, flips, judge
from engine.policy.regime import LeverageCurve, Regime, ZoneLevels, regime
from engine.policy.rule import Act, Finding, findings
from engine.policy.rule_reach import no_looser
from engine.policy.rulebook import Rulebook, ballots, compiled
from engine.policy.ruling import MeetingAction, Ruling
from engine.policy.settings import Policy, RegimeSettings
from engine.signals.catalogue import FIXED, by_name
from engine.signals.columns import Axis, Signal, SignalTable, read
from engine.signals.meetings import Days, EventWindows, meeting_signals
from engine.signals.observations import Observations

_HEDGE_RANGE = (0.7, 1.3)  # S53
_HEDGE_SLOPE = 0.3  # X10


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """
    Everything the rules make of one close.

    `score` runs from -1 to 1, positive for more hedge (X10), and `hedge_ratio` follows from it; `leverage` is
    the share of the borrow sleeve's target that may stand (X07); `armed` are layers, `frozen` what may not
    grow ("loan", "defi", "all"), also where the feed of a rule that freezes it went missing (F89);
    `favoured` are domains and tenors. `verdict` says whether risk may be added. `meetings` are the policy
    calendar's days, past and scheduled. `meeting` says what one of them does to risk now beyond the rules (X08):
    `reduce` ahead of and around it, `increase` after its minutes, else `freeze`.
    """

    table: SignalTable
    regime: Regime
    findings: tuple[Finding, ...]
    ballots: tuple[Ballot, ...]
    verdict: Verdict
    score: float
    hedge_ratio: float
    armed: frozenset[str]
    frozen: frozenset[str]
    favoured: frozenset[str]
    beta_binds: bool
    rolls: bool
    meetings: tuple[date, ...] = ()
    meeting: MeetingAction = MeetingAction.FREEZE

    @property
    def leverage(self) -> float:
        """Zero while loans, the sleeve or everything are frozen, else the regime's multiplier."""
        return 0.0 if self.frozen & {"loan", "defi", "all"} else self.regime.leverage

    @property
    def may_add(self) -> bool:
        """Whether new risk may be opened: the committee increases and nothing freezes all."""
        return self.verdict.decision is Decision.INCREASE and "all" not in self.frozen

    @property
    def sleeve_factor(self) -> float:
        """
        What the beta of the volatility complex makes of the sleeve's target; one where it is unseen (S51).

        An increase after the minutes applies a factor above one a second time, within the cap (X08, X05).
        """
        factor = self.table.panel().value("complex_factor")
        standing = 1.0 if factor is None else factor
        return standing * max(standing, 1.0) if self.meeting is MeetingAction.INCREASE else standing

    @property
    def ruling(self) -> Ruling:
        """What this imposes on a target."""
        stops = []
        if self.verdict.decision is not Decision.INCREASE:
            stops.append(f"the committee decides {self.verdict.decision}")
        stops += [_stop(each) for each in self.findings if _freezes(each)]
        if self.meeting is MeetingAction.REDUCE:
            stops.append("a policy meeting is near, and fomc.action is reduce (X08)")
        elif self.regime.frozen:
            stops.append("a policy meeting freezes new risk (X08)")
        if not self.regime.leverage:
            stops.append(f"VIX {self.regime.vix:.2f} bears no leverage (X07)")
        return Ruling(
            self.hedge_ratio,
            self.leverage,
            self.may_add,
            self.regime.high_vol,
            self.beta_binds,
            "; ".join(stops),
            self.meetings,
            self.sleeve_factor,
        )

    def would_flip(self) -> tuple[tuple[str, Stance, Decision], ...]:
        """Every single vote that, cast otherwise, changes what the committee decides."""
        return flips(self.ballots, self.verdict.quorum)


def signals_for(meetings: Sequence[date], sessions: Days, settings: RegimeSettings) -> tuple[Signal, ...]:
    """Every signal, those of the policy calendar included."""
    windows = EventWindows(settings.freeze_before, settings.freeze_after, minutes_days=settings.minutes_days)
    return (*FIXED, *meeting_signals(meetings, sessions, windows))


def rulebook(policy: Policy, signals: Sequence[Signal]) -> Rulebook:
    """The policy's rules and seats held against the signals and its limits. Raises `ConfigError` with the key path."""
    book = compiled(policy.rules, policy.members, by_name(signals), [layer.name for layer in policy.layers])
    no_looser(book.rules, "borrow_rate", float(policy.limits.borrow_rate_max), "limits.borrow_rate_max")
    return book


def judgement(
    observations: Observations,
    axis: Axis,
    policy: Policy,
    *,
    meetings: Sequence[date] = (),
    sessions: Days | None = None,
) -> Judgement:
    """
    What the policy makes of the evidence at the axis' last close.

    Parameters
    ----------
    axis : session closes; latches and hysteresis remember as far back as it goes
    meetings : policy announcement days, past and scheduled
    sessions : session days around them, future ones included; the axis' own where not given

    Raises `MissingQuote` without a VIX of the last close, `ConfigError` for a rule that means nothing.
    """
    days = axis.days if sessions is None else sessions
    signals = signals_for(meetings, days, policy.regime)
    book = rulebook(policy, signals)
    return conclude(read(observations, axis, signals), book, policy, meetings=meetings, sessions=days)


def conclude(
    table: SignalTable, book: Rulebook, policy: Policy, *, meetings: Sequence[date] = (), sessions: Days | None = None
) -> Judgement:
    """The judgement over signals that are read already; meetings and sessions as for `judgement`."""
    zones, terms = policy.regime, policy.consensus
    state = regime(table, zone_levels(zones), leverage_curve(zones), meetings=meetings, sessions=sessions)
    found = findings(book.rules, table)
    cast = tuple(vote for vote in ballots(book.members, table, terms.expected) if vote.family in terms.families)
    verdict = judge(cast, Quorum(terms.needed, len(terms.families)))
    effects = [effect for each in found if each.fires for effect in each.rule.then]
    score = float(np.clip(sum(effect.amount for effect in effects if effect.act is Act.SCORE), -1.0, 1.0))
    named = {act: frozenset(effect.what for effect in effects if effect.act is act) for act in Act}
    frozen = {effect.what for each in found if _freezes(each) for effect in each.rule.then if effect.act is Act.FREEZE}
    meeting = _meeting(table, policy.fomc.action, verdict, frozen)
    if state.frozen or meeting is MeetingAction.REDUCE:
        frozen.add("all")
    return Judgement(
        table=table,
        regime=state,
        findings=found,
        ballots=cast,
        verdict=verdict,
        score=score,
        hedge_ratio=hedge_ratio_of(score, float(policy.hedge.ratio)),
        armed=named[Act.ARM],
        frozen=frozenset(frozen),
        favoured=named[Act.FAVOUR],
        beta_binds="beta" in named[Act.BIND],
        rolls=bool(named[Act.ROLL]),
        meetings=tuple(meetings),
        meeting=meeting,
    )


def _meeting(table: SignalTable, action: MeetingAction, verdict: Verdict, frozen: Collection[str]) -> MeetingAction:
    """What a policy meeting does to risk now, of what the policy lets it do (X08)."""
    panel = table.panel()
    if action is MeetingAction.REDUCE and (panel.value("fomc_watch") or panel.value("fomc_window")):
        return MeetingAction.REDUCE
    hinted = panel.value("fomc_minutes") and panel.value("policy_divergence")
    if action is MeetingAction.INCREASE and hinted and verdict.decision is Decision.INCREASE and not frozen:
        return MeetingAction.INCREASE
    return MeetingAction.FREEZE


def _freezes(found: Finding) -> bool:
    """Whether a rule stops new risk: it stands, or it cannot be told because a feed went missing (F89)."""
    asks = any(effect.act is Act.FREEZE for effect in found.rule.then)
    return asks and bool(found.fires or found.dropped)


def _stop(found: Finding) -> str:
    if found.fires:
        return f"{found.rule.id} stands"
    return f"{found.rule.id} cannot be told, {', '.join(found.dropped)} went missing (F89)"


def hedge_ratio_of(score: float, neutral: float = 1.0) -> float:
    """
    The hedge ratio a score asks for: 1:0.7 at -1, the neutral ratio at 0, 1:1.3 at +1, straight between (X10, S53).

    >>> [hedge_ratio_of(score) for score in (-1.0, 0.0, 1.0)]
    [0.7, 1.0, 1.3]
    """
    low, high = _HEDGE_RANGE
    return float(min(max(neutral + _HEDGE_SLOPE * score, low), high))


def zone_levels(settings: RegimeSettings) -> ZoneLevels:
    """The zones of a policy."""
    return ZoneLevels(settings.vix_calm, settings.vix_strained, settings.vix_high, settings.vix_step)


def leverage_curve(settings: RegimeSettings) -> LeverageCurve:
    """The leverage curve of a policy: up to one between calm and strained, gone below and above (X07)."""
    points = (
        (settings.vix_none, 0.0),
        (settings.vix_calm, 1.0),
        (settings.vix_strained, 1.0),
        (settings.vix_high, 0.0),
    )
    return LeverageCurve(points, settings.vix_step)
