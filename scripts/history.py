"""`hedge simulate history`: which layers the rules would have had on over recorded closes, and what came (S58)."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from engine.policy.layers import LayerTable
    from engine.policy.settings import Policy
    from engine.signals.observations import Observations
    from engine.simulation.layer_replay import LayerReplay, Replay, Stress

_SCHEMA = "hedge/history/1"
_FIRST, _LAST = "2004-03-26", "2017-12-29"
_AHEAD_DAYS = 14  # sessions beyond the last, by which distances to policy meetings are counted


def history(
    folder: str = typer.Option(..., "--data", help="Folder of recorded histories and observations."),
    first: str = typer.Option(_FIRST, "--from", help="First session."),
    last: str = typer.Option(_LAST, "--to", help="Last session; the replay ends earlier where SPX or VIX do."),
    policy_file: str = typer.Option("", "--policy", help="Policy file; the default policy without it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """When each hedge layer would have switched on and off, and how often stress followed."""
    from pathlib import Path

    from adapters.files.policy_file import read_policy
    from engine.simulation.layer_replay import Stress

    stress, policy = Stress(), read_policy(Path(policy_file) if policy_file else None)
    found = _replayed(Path(folder), _day(first), _day(last), policy, stress)
    if as_json:
        _write_json(found, stress, policy.layer_table())
    else:
        _print(found, stress, policy.layer_table())


def _replayed(folder: "Path", first: "date", last: "date", policy: "Policy", stress: "Stress") -> "Replay":
    from datetime import timedelta

    from adapters.files.observations import read_meetings, read_observations, session_axis
    from engine.policy.judgement import rulebook, signals_for
    from engine.signals.columns import read
    from engine.simulation.layer_replay import arming_rules, replay, session_closes

    observations = read_observations(folder)
    end = _recorded_until(observations, first, last)
    axis = session_axis(first, end)
    sessions = session_axis(first, end + timedelta(days=_AHEAD_DAYS)).days
    signals = signals_for(read_meetings(folder), sessions, policy.regime)
    rules = rulebook(policy, signals).rules
    asked = {name for arms in arming_rules(rules).values() for rule in arms for name in rule.signals}
    table = read(observations, axis, [signal for signal in signals if signal.name in asked])
    spx, vix = (session_closes(observations, axis, name) for name in ("spx", "vix"))
    return replay(rules, table, spx, vix, stress)


def _recorded_until(observations: "Observations", first: "date", last: "date") -> "date":
    from engine.errors import InputError

    ends = [
        observations[name].as_of[-1].astype("datetime64[D]").item() for name in ("spx", "vix") if name in observations
    ]
    end: date = min([last, *ends])
    if not first < end:
        raise InputError(
            f"replay from {first} to {last} refused",
            why=f"the record ends {end}" if end < last else "the first session is not before the last",
            todo="give days inside the record",
        )
    return end


def _day(written: str) -> "date":
    from datetime import date

    from engine.errors import InputError

    try:
        return date.fromisoformat(written)
    except ValueError:
        raise InputError(f"{written!r} refused", why="it is no day", todo="write it as 2008-09-15") from None


def _standing_layers(found: "Replay", layers: "LayerTable") -> list[str]:
    armed = {layer.layer for layer in found.layers}
    return [layer.name for layer in layers if layer.name not in armed]


def _sold_layers(found: "Replay", layers: "LayerTable") -> list[str]:
    return [layer.layer for layer in found.layers if layers[layer.layer].adds_risk(layers.outer_mode)]


def _write_json(found: "Replay", stress: "Stress", layers: "LayerTable") -> None:
    from dataclasses import asdict

    from scripts.output import emit_json

    emit_json(
        {
            "schema": _SCHEMA,
            "status": "replayed",
            "next": [],
            "from": found.first,
            "to": found.last,
            "closes": found.closes,
            "stress": asdict(stress),
            "labelled": found.labelled,
            "stressed": found.stressed,
            "base_rate": _rounded(found.base_rate),
            "layers": [_layer(layer) for layer in found.layers],
            "adds_risk": _sold_layers(found, layers),
            "not_by_rule": _standing_layers(found, layers),
        }
    )


def _layer(layer: "LayerReplay") -> dict[str, Any]:
    from dataclasses import asdict

    matrix = layer.confusion
    return {
        "layer": layer.layer,
        "rules": layer.rules,
        "confusion": asdict(matrix),
        "over_hedged": _rounded(matrix.over_hedged),
        "under_hedged": _rounded(matrix.under_hedged),
        "precision": _rounded(matrix.precision),
        "hit_rate": _rounded(layer.hit_rate),
        "unseen": layer.unseen,
        "lacking": layer.lacking,
        "intervals": [asdict(interval) for interval in layer.intervals],
    }


def _print(found: "Replay", stress: "Stress", layers: "LayerTable") -> None:
    from scripts.output import say, table

    say(f"{found.closes:,} closes from {found.first} to {found.last}")
    say(
        f"stress: within {stress.sessions} sessions SPX {stress.fall:.0%} lower or VIX {stress.rise:.0%} higher; "
        f"it followed {found.stressed:,} of {found.labelled:,} closes ({_percent(found.base_rate)})"
    )
    say()
    table(
        "Layers on and off against the stress that followed, in closes",
        ("layer", "on, stress", "on, calm", "off, stress", "off, calm", "over-hedged", "under-hedged", "unseen"),
        [_matrix_cells(layer) for layer in found.layers],
        numeric=range(1, 8),
    )
    say()
    for layer in found.layers:
        _print_intervals(layer)
    say(f"Sold rather than bought, so on before stress is no hit: {', '.join(_sold_layers(found, layers))}")
    say(f"Not switched by rules: {', '.join(_standing_layers(found, layers))}")


def _matrix_cells(layer: "LayerReplay") -> tuple[str, ...]:
    matrix = layer.confusion
    counts = (matrix.on_stressed, matrix.on_calm, matrix.off_stressed, matrix.off_calm)
    rates = (matrix.over_hedged, matrix.under_hedged)
    told = [f"{count:,}" if matrix.seen else "-" for count in counts]
    return (layer.layer, *told, *map(_percent, rates), f"{layer.unseen:,}")


def _print_intervals(layer: "LayerReplay") -> None:
    from scripts.output import say, table

    rules = ", ".join(layer.rules)
    if not layer.intervals:
        missing = f"; nobody supplies {', '.join(layer.lacking)}" if layer.lacking else ""
        say(f"{layer.layer} (by {rules}): {'never on' if layer.confusion.seen else 'never seen'}{missing}")
        say()
        return
    table(
        f"{layer.layer} (by {rules}): {len(layer.intervals)} times on, stress followed {_percent(layer.hit_rate)}",
        ("on", "off after", "sessions", "stress followed"),
        [
            (str(each.first), str(each.last), str(each.sessions), {True: "yes", False: "no", None: "open"}[each.hit])
            for each in layer.intervals
        ],
        numeric=(2,),
    )
    if layer.lacking:
        say(f"  without {', '.join(layer.lacking)}, which nobody supplies")
    say()


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)
