"""Which spaces events name."""

import pytest

from exporter.space_hints import MOST, SpaceHints


@pytest.mark.parametrize(
    ("topic", "space", "noted"),
    [
        ("space:archived", "us_sp_1", True),
        ("file:created", "us_sp_1", True),
        ("workbook:deleted", "us_sp_1", True),
        ("space:guestAdded", "us_sp_1", False),
        ("file:updated", "us_sp_1", False),
        ("records:created", "us_sp_1", False),
        ("space:created", None, False),
        ("space:created", "", False),
    ],
)
def test_an_event_after_which_something_counts_otherwise_is_noted(topic: str, space: str | None, noted: bool) -> None:
    hints = SpaceHints()
    hints.note(topic, space, "us_env_1")
    assert hints.take() == ({"us_sp_1": "us_env_1"} if noted else {})
    assert hints.take() == {}


def test_hints_are_taken_by_environment_and_can_be_put_back() -> None:
    hints = SpaceHints()
    hints.note("space:created", "us_sp_1", "us_env_1")
    hints.note("space:created", "us_sp_2", "us_env_2")
    taken = hints.take("us_env_1")
    assert taken == {"us_sp_1": "us_env_1"}
    hints.note("space:created", "us_sp_1", "us_env_2")
    hints.put_back(taken)
    assert hints.take() == {"us_sp_1": "us_env_2", "us_sp_2": "us_env_2"}, "what was seen last holds"


def test_they_cannot_pile_up() -> None:
    hints = SpaceHints()
    for index in range(MOST + 10):
        hints.note("space:created", f"us_sp_{index}", "us_env_1")
    assert len(hints.take()) == MOST
