"""Which night it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.jobs.schedules.nightly_time import DAYS, NightlyTime, scheduled_time
from auricle.schemas.errors import ConfigError

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-04T02:30:00+01:00", "2026-03-04T01:30:00+00:00"),
        ("2026-03-04T01:30:00Z", "2026-03-04T01:30:00+00:00"),
        ("02:30 Europe/Berlin", "2026-03-04T01:30:00+00:00"),
        ("13:30 Europe/Berlin", "2026-03-03T12:30:00+00:00"),
        ("Mon-Tue 02:30 UTC", "2026-03-03T02:30:00+00:00"),
        ("Thu 02:30 UTC", "2026-02-26T02:30:00+00:00"),
    ],
)
def test_a_night_is_named_by_its_moment_or_its_schedule(text, moment):
    assert scheduled_time(text, NOW).isoformat() == moment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-03-04T02:30:00", "no offset"),
        ("2026-03-09T02:30:00Z", "a day ahead"),
        ("tonight", "write a time"),
        ("02:30", "write a time"),
        ("02:30 Berlin", "not a known zone"),
        ("25:30 UTC", "not a time"),
    ],
)
def test_other_words_are_refused_with_what_to_write(text, message):
    with pytest.raises(ConfigError, match=message):
        scheduled_time(text, NOW)


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
    hours=st.integers(0, 24 * 365),
)
def test_the_newest_moment_is_past_on_its_day_and_none_lies_between(hour, minute, days, zone, hours):
    time = NightlyTime(hour, minute, tuple(d for d in DAYS if d in days), zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    last = time.last(now)
    assert now - timedelta(days=8) < last <= now
    assert time.last(last) == last
    assert time.last(last - timedelta(seconds=1)) < last
    shown = last.astimezone(ZoneInfo(zone))
    assert DAYS[shown.weekday()] in days


def test_a_time_that_summer_time_leaves_out_is_an_hour_later_and_one_that_comes_twice_the_first():
    time = NightlyTime.parse("02:30", "Europe/Berlin")
    assert time.last(datetime(2026, 3, 29, 12, tzinfo=UTC)).isoformat() == "2026-03-29T01:30:00+00:00"
    assert time.last(datetime(2026, 10, 25, 12, tzinfo=UTC)).isoformat() == "2026-10-25T00:30:00+00:00"
