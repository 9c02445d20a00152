import json
import tomllib
from pathlib import Path

import pytest

from adapters.files.config import policy_digest
from adapters.files.policy_file import differences, read_policy, written
from engine.errors import ConfigError, LimitOutOfRange, UnknownKey
from engine.policy.settings import Policy

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
def write(tmp_path):
    def to_file(text: str):
        path = tmp_path / "policy.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_a_policy_written_and_read_back_is_the_same(write):
    again = read_policy(write(written(Policy())))

    assert again == Policy()
    assert policy_digest(again) == policy_digest(Policy())


def test_the_published_file_is_the_default_policy():
    assert (DOCS / "policy.toml").read_text(encoding="utf-8") == written(Policy())


def test_the_published_schema_is_that_of_the_policy():
    assert json.loads((DOCS / "policy.schema.json").read_text(encoding="utf-8")) == Policy.model_json_schema()


def test_every_number_of_the_file_says_where_it_comes_from():
    text = written(Policy()).split("[[")[0]
    keys = [line for line in text.splitlines() if " = " in line and not line.startswith("#")]

    assert len(keys) > 35
    assert all("  # " in line for line in keys)


def test_every_rule_of_the_file_has_a_source_and_conditions():
    rules = tomllib.loads(written(Policy()))["rules"]

    assert len(rules) == len(Policy().rules)
    assert all(rule["source"].startswith("S") and rule["when"] and rule["then"] for rule in rules)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('[limits]\nsleeve_cap = "26%"\n', LimitOutOfRange, "limits.sleeve_cap = 26%"),
        ("[limits]\nsleeve_cap = 0.2\n", ConfigError, "percentage in quotes"),
        ('[limits]\nsleeve_kap = "20%"\n', UnknownKey, "did you mean 'sleeve_cap'"),
        ('[limits]\nsleeve_target = "22%"\n', ConfigError, "sleeve_target <= sleeve_cap"),
        ("[core]\ndte_min = 50\n", ConfigError, "dte_min <= dte_target"),
        ("[core]\nshort_sd_min = 2.5\n", ConfigError, "short_sd_min <= short_sd_max"),
        ("[regime]\nvix_calm = 26.0\n", ConfigError, "vix_none <= vix_calm"),
        ("[regime]\nvix_calm = nan\n", ConfigError, "regime.vix_calm"),
        ("[consensus]\nneeded = 4\n", ConfigError, "needed <= families"),
        ("[regime]\nvix_none = 16.0\n", ConfigError, "no two levels may be one"),
        ("[regime]\nvix_step = 4.0\n", ConfigError, "vix_step"),
        ('[limits]\nsession_new_outer = "26%"\n', LimitOutOfRange, "less than or equal to 25%"),
        ('[layering]\nstep = "26%"\n', LimitOutOfRange, "layering.step = 26%"),
        ("[core]\ndte_min = 20\n", ConfigError, "overlaps band overlay"),
        ('[[layers]]\nname = "x"\nrole = "tail"\n', ConfigError, "layers.x.holds"),
        (
            '[[rules]]\nid = "x"\nwhen = ["rsi_spx < 45"]\nthen = ["freeze all"]\nsource = "S61"\nsays = "x"\n',
            ConfigError,
            "rules.x.when",
        ),
        (
            '[[rules]]\nid = "x"\nwhen = ["rsi_spx < 45 points"]\nthen = ["arm attic"]\nsource = "S61"\nsays = "x"\n',
            ConfigError,
            "arm knows no 'attic'",
        ),
        (
            '[[rules]]\nid = "x"\nwhen = ["rsi_spx < 45 points"]\nthen = ["freeze all"]\nsource = ""\nsays = "x"\n',
            ConfigError,
            "rules.x.source",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_by_key_value_and_rule(write, text, kind, said):
    with pytest.raises(kind) as refused:
        read_policy(write(text))

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[limits]\nsleeve_cap = "26%"\n',
            (
                "policy.toml: limits.sleeve_cap = 26%: Input should be less than or equal to 25% (S39, X05); "
                "set a value above 0% and at most 25%"
            ),
        ),
        (
            "[hedge]\nratio = 1.5\n",
            (
                "policy.toml: hedge.ratio = 1.5: Input should be less than or equal to 1.3 (S53, D10); "
                "set a value at least 0.7 and at most 1.3"
            ),
        ),
        (
            '[core]\ndefined_risk = "101%"\n',
            (
                "policy.toml: core.defined_risk = 101%: Input should be less than or equal to 100% (D12); "
                "set a value above 0% and at most 100%"
            ),
        ),
        (
            "[limits]\nsleeve_cap = 0.2\n",
            (
                "policy.toml: limits.sleeve_cap = 0.2: a share is written as a percentage in quotes, "
                '"15%", not 0.2 (S39, X05); correct the value'
            ),
        ),
    ],
)
def test_a_refusal_names_key_path_value_allowed_range_and_rule(write, text, said):
    with pytest.raises(ConfigError) as refused:
        read_policy(write(text))

    assert str(refused.value) == said


@pytest.mark.requirement("X01", "X03")
@pytest.mark.parametrize(
    ("written_so", "instead", "said"),
    [
        ('dte = "15-20 days"', 'dte = "15-30 days"', "overlaps band overlay"),
        ('dte = "15-45 days"', 'dte = "7-45 days"', "overlaps band outer-short"),
        ('dte = "15-45 days"', 'dte = "15-45"', "layers.outer-intermediate.dte = '15-45'"),
        ('role = "core condor"', 'role = "core condor"\ndte = "30-60 days"', "core.dte_min and core.dte_max say it"),
        ('wings = "5% to 7% out', 'wings = "5 to 7 out', "layers.outer-short.wings"),
        ("break-even, by price", "break-even, by luck", "layers.tail.wings"),
        ('budget = "20%"', 'budget = "21%"', "hedge.budget = 101%"),
        ('name = "tail"', 'name = "end"', "arm knows no 'tail'"),
    ],
)
def test_a_layer_that_means_nothing_is_refused_by_its_key(write, written_so, instead, said):
    text = written(Policy()).replace('dte = ""\n', "")
    assert written_so in text

    with pytest.raises(ConfigError) as refused:
        read_policy(write(text.replace(written_so, instead)))

    assert said in str(refused.value)


def test_a_refusal_says_nothing_of_the_library_that_found_it(write):
    with pytest.raises(ConfigError) as refused:
        read_policy(write("[core]\ndte_min = 50\n"))

    assert str(refused.value).startswith("policy.toml: core: dte_min <= dte_target")
    assert "Value error" not in str(refused.value)


def test_two_policies_differ_by_key():
    other = Policy.model_validate({"limits": {"sleeve_cap": "22%"}, "rules": Policy().rules[1:]})

    found = {part.key: (part.first, part.second) for part in differences(Policy(), other)}

    assert found["limits.sleeve_cap"] == ('"20%"', '"22%"')
    assert found[f"rules.{Policy().rules[0].id}"][1] is None
    assert len(found) == 2
