"""Every setting is in one group only, and the settings of each room are a part of all settings."""

from __future__ import annotations

from dataclasses import fields

import pytest

from stage2.config import GROUPS, OWN, SETTINGS, MiningConfig, Settings, TrainingConfig
from stage2.mining.corpus import rules_of
from stage2.utils.errors import BadInputError
from stage2.utils.setting import Group


def test_every_setting_stands_in_one_group() -> None:
    names = [name for group in GROUPS for name in OWN[group]]
    assert len(names) == len(set(names)), "a setting stands in two groups"
    assert {item.name for item in fields(Settings)} == {*names, "given", "stated"}
    assert list(SETTINGS) == names


def test_settings_are_those_of_every_group() -> None:
    settings = Settings(epochs=3, range_min=7)
    for group in (*GROUPS, MiningConfig):
        assert isinstance(settings, group)
    assert rules_of(settings).range_min == 7


def test_a_group_by_itself_has_the_defaults_of_all() -> None:
    alone, together = TrainingConfig(), Settings()
    for item in fields(TrainingConfig):
        assert getattr(alone, item.name) == getattr(together, item.name)


@pytest.mark.parametrize("group", [TrainingConfig, Settings])
def test_no_value_out_of_range_gets_into_a_group(group: type[Group]) -> None:
    with pytest.raises(BadInputError, match="--epochs is 0; expected a whole number, 1 or more"):
        group(epochs=0)  # type: ignore[call-arg]


def test_rows_of_the_report_are_told_apart() -> None:
    rows = [item.metadata["row"] for item in SETTINGS.values() if item.metadata["row"]]
    assert sorted(rows) == list(range(1, len(rows) + 1))


def test_recall_is_measured_at_ranks_of_the_users_choosing() -> None:
    assert Settings().recall_depths == (10, 100)
    assert Settings(recall_at="50, 5").recall_depths == (50, 5)


@pytest.mark.parametrize("text", ["", "0", "10,", "10 100", "-1", "1.5", "10,10", "1,01", "9" * 30])
def test_what_is_no_rank_for_recall_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"--recall-at is .*expected different whole numbers"):
        Settings(recall_at=text)
