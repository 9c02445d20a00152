import pytest

from adapters.files.config import load_policy, load_settings, policy_digest
from engine.errors import ConfigError, LimitOutOfRange, UnknownKey
from engine.policy.ruling import MeetingAction
from engine.policy.settings import Policy


def written(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_policy_keeps_the_articles_caps():
    limits = Policy().limits

    assert str(limits.sleeve_cap) == "0.2"
    assert str(limits.drawdown_2sd) == "0.06"
    assert str(limits.session_new_outer) == "0.25"


@pytest.mark.fault("F69")
def test_a_cap_above_a_quarter_is_refused_with_its_range(tmp_path):
    with pytest.raises(LimitOutOfRange, match=r"limits.sleeve_cap = 26%.*less than or equal to 25%"):
        load_policy(written(tmp_path, '[limits]\nsleeve_cap = "26%"\n'))


@pytest.mark.fault("F69")
@pytest.mark.parametrize("value", ["15", "0.15", '"15"', '"nan%"', '"inf%"', '"-5%"', "nan", "true"])
def test_a_share_that_is_not_a_percentage_in_quotes_is_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=r"policy.toml: limits.sleeve_cap"):
        load_policy(written(tmp_path, f"[limits]\nsleeve_cap = {value}\n"))


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path):
    with pytest.raises(UnknownKey, match="did you mean 'sleeve_cap'"):
        load_policy(written(tmp_path, '[limits]\nsleve_cap = "20%"\n'))


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(written(tmp_path, "limits = = 3"))


def test_a_folder_without_settings_is_no_workspace(tmp_path):
    with pytest.raises(ConfigError, match="not found"):
        load_settings(tmp_path / "hedge.toml")


def test_any_changed_key_changes_the_digest():
    looser = Policy.model_validate({"limits": {"sleeve_cap": "21%"}})

    assert policy_digest(Policy()) == policy_digest(Policy())
    assert policy_digest(looser) != policy_digest(Policy())


def test_the_environment_overrides_the_file(tmp_path, monkeypatch):
    path = tmp_path / "hedge.toml"
    path.write_text("[chain]\nchain_id = 1\n", encoding="utf-8")
    monkeypatch.setenv("HEDGE__CHAIN__CHAIN_ID", "10")

    assert load_settings(path).chain.chain_id == 10


@pytest.mark.requirement("X03")
@pytest.mark.parametrize(("near", "far"), [("7", "5"), ("0", "5"), ("5", "100")])
def test_wings_that_do_not_run_outward_are_refused_by_their_key_in_the_words_of_the_file(near, far):
    layers = [layer.model_dump() for layer in Policy().layers]
    outer = next(layer for layer in layers if layer["name"] == "outer-short")
    outer["wings"] = f"{near}% to {far}% out of the money"

    with pytest.raises(ConfigError) as refused:
        Policy.model_validate({"layers": layers})

    assert str(refused.value) == (
        f"layers.outer-short.wings = '{near}% to {far}% out of the money': shares run outward, above 0% and under 100% "
        '(X03); write the nearer first, as in "5% to 7% out of the money"'
    )


@pytest.mark.requirement("D29", "S87")
@pytest.mark.parametrize("key", ["families", "expected"])
def test_a_family_named_twice_has_no_second_voice(tmp_path, key):
    text = f'[consensus]\n{key} = ["technical", "technical", "on-chain"]\n'

    with pytest.raises(ConfigError, match=rf"consensus\.{key}: technical stands twice"):
        load_policy(written(tmp_path, text))


@pytest.mark.requirement("X08")
def test_a_meeting_freezes_unless_the_policy_says_otherwise(tmp_path):
    assert Policy().fomc.action is MeetingAction.FREEZE
    assert load_policy(written(tmp_path, '[fomc]\naction = "reduce"\n')).fomc.action is MeetingAction.REDUCE
    with pytest.raises(ConfigError, match=r"fomc\.action = pause"):
        load_policy(written(tmp_path, '[fomc]\naction = "pause"\n'))
