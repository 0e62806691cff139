"""Opening hours: spans over midnight, zones with clock changes, date exceptions, temporary close."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stores import hours
from core.stores.types import DateException, Opening

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVERY_DAY = dict.fromkeys(hours.WEEKDAYS, (("08:00", "22:00"),))
NIGHT = {"fri": (("22:00", "02:00"),), "sat": (("12:00", "24:00"),)}


def at(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def opening(**over: object) -> Opening:
    return Opening(**{"hours": EVERY_DAY, **over})  # type: ignore[arg-type]


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"monday": (("08:00", "22:00"),)},
        {"mon": (("8:00", "22:00"),)},
        {"mon": (("08:00", "25:00"),)},
        {"mon": (("08:60", "22:00"),)},
        {"mon": (("24:00", "08:00"),)},
        {"mon": (("08:00", "08:00"),)},
        {"mon": (("٠٨:٠٠", "22:00"),)},
        {"mon": (("08:00", "22:00\n"),)},
        {"mon": tuple((f"{h:02d}:00", f"{h:02d}:30") for h in range(9))},
    ],
    ids=str,
)
def test_hours_that_cannot_be_read_are_refused(bad: dict[str, tuple[tuple[str, str], ...]]) -> None:
    assert [p.code for p in hours.check_hours(bad)] == ["stores.hours_invalid"]


@pytest.mark.parametrize(
    "bad",
    [
        {"mon": (("08:00", "12:00"), ("11:00", "14:00"))},
        {"mon": (("22:00", "02:00"),), "tue": (("01:00", "09:00"),)},
        {"sun": (("22:00", "02:00"),), "mon": (("01:59", "09:00"),)},
    ],
    ids=str,
)
def test_spans_that_overlap_are_refused(bad: dict[str, tuple[tuple[str, str], ...]]) -> None:
    assert [p.code for p in hours.check_hours(bad)] == ["stores.hours_overlap"]


def test_spans_that_touch_are_fine() -> None:
    assert hours.check_hours({"mon": (("08:00", "12:00"), ("12:00", "24:00")), "tue": (("00:00", "08:00"),)}) == []
    assert hours.check_hours({"sun": (("22:00", "02:00"),), "mon": (("02:00", "09:00"),)}) == []
    assert hours.check_hours(dict.fromkeys(hours.WEEKDAYS, (("00:00", "24:00"),))) == []


@pytest.mark.parametrize(
    ("day", "exception", "code"),
    [
        ("2026-02-30", DateException(closed=True), "stores.exception_invalid"),
        ("20260217", DateException(closed=True), "stores.exception_invalid"),
        ("2026-02-17", DateException(), "stores.exception_invalid"),
        ("2026-02-17", DateException(closed=True, spans=(("08:00", "12:00"),)), "stores.exception_invalid"),
        ("2026-02-17", DateException(spans=(("8", "12"),)), "stores.hours_invalid"),
        ("2026-02-17", DateException(spans=(("08:00", "12:00"), ("11:00", "13:00"))), "stores.hours_overlap"),
    ],
)
def test_exceptions_that_cannot_be_used_are_refused(day: str, exception: DateException, code: str) -> None:
    assert [p.code for p in hours.check_exceptions({day: exception})] == [code]


# when a store is not open ---------------------------------------------------------------------------------------------


def test_a_store_that_is_not_active_is_closed_and_stays_so() -> None:
    found = hours.status(opening(state="closed"), at("2026-11-23 12:00"))

    assert (found.open_now, found.reason, found.next_change) == (False, "not_active", None)


def test_a_store_without_hours_is_not_known_to_be_open() -> None:
    found = hours.status(Opening(), at("2026-11-23 12:00"))

    assert (found.open_now, found.reason, found.next_change) == (False, "hours_unknown", None)


def test_opening_counts_from_the_first_minute_and_not_the_last() -> None:
    assert not hours.open_now(opening(), at("2026-11-23 07:59:59"))
    assert hours.open_now(opening(), at("2026-11-23 08:00"))
    assert hours.open_now(opening(), at("2026-11-23 21:59:59"))
    assert not hours.open_now(opening(), at("2026-11-23 22:00"))


def test_the_hours_are_the_stores_not_the_callers() -> None:
    urumqi = opening(zone="Asia/Urumqi")  # two hours behind Shanghai

    assert not hours.open_now(urumqi, at("2026-11-23 09:00"))
    assert hours.open_now(urumqi, at("2026-11-23 23:00"))
    assert hours.open_now(urumqi, datetime(2026, 11, 23, 2, 0, tzinfo=UTC))


def test_a_temporary_close_wins_and_ends_when_it_says() -> None:
    store = opening(closed_from=at("2026-11-23 12:00"), closed_until=at("2026-11-25 12:00"))

    assert hours.status(store, at("2026-11-23 11:00")).next_change == at("2026-11-23 12:00")
    shut = hours.status(store, at("2026-11-23 12:00"))
    assert (shut.reason, shut.next_change) == ("temporarily_closed", at("2026-11-25 12:00"))
    assert hours.open_now(store, at("2026-11-25 12:00"))


def test_a_temporary_close_that_ends_at_night_lasts_until_the_morning() -> None:
    store = opening(closed_from=at("2026-11-23 12:00"), closed_until=at("2027-03-01 00:00"))

    assert hours.next_change(store, at("2026-11-24 12:00")) == at("2027-03-01 08:00")


def test_a_close_without_an_end_never_changes() -> None:
    assert hours.next_change(opening(closed_from=at("2026-11-23 12:00")), at("2026-11-24 12:00")) is None


# midnight -------------------------------------------------------------------------------------------------------------


def test_a_span_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    store = opening(hours=NIGHT)

    assert not hours.open_now(store, at("2026-11-20 01:00"))  # Friday's first hours are Thursday's night
    assert hours.open_now(store, at("2026-11-20 23:30"))
    assert hours.open_now(store, at("2026-11-21 01:59"))
    assert not hours.open_now(store, at("2026-11-21 02:00"))
    assert hours.next_change(store, at("2026-11-20 23:30")) == at("2026-11-21 02:00")
    assert hours.next_change(store, at("2026-11-21 02:00")) == at("2026-11-21 12:00")


def test_24_00_is_the_end_of_the_day() -> None:
    store = opening(hours=NIGHT)

    assert hours.open_now(store, at("2026-11-21 23:59:59"))
    assert not hours.open_now(store, at("2026-11-22 00:00"))


def test_days_that_touch_are_one_long_opening() -> None:
    around = opening(hours={"sat": (("08:00", "24:00"),), "sun": (("00:00", "10:00"),)})

    assert hours.next_change(around, at("2026-11-21 09:00")) == at("2026-11-22 10:00")


def test_a_store_that_never_closes_never_changes() -> None:
    always = opening(hours=dict.fromkeys(hours.WEEKDAYS, (("00:00", "24:00"),)))

    assert hours.status(always, at("2026-11-21 00:00")).next_change is None


def test_a_lunch_break_is_two_spans() -> None:
    store = opening(hours={"mon": (("09:00", "12:00"), ("13:30", "18:00"))})

    assert hours.next_change(store, at("2026-11-23 12:10")) == at("2026-11-23 13:30")
    assert hours.next_change(store, at("2026-11-23 18:00")) == at("2026-11-30 09:00")


# exceptions on both days of a midnight span ---------------------------------------------------------------------------


def test_closing_the_first_day_closes_its_night_too() -> None:
    store = opening(hours=NIGHT, exceptions={"2026-11-20": DateException(closed=True, note="盘点")})

    assert hours.reason(store, at("2026-11-20 23:00")) == "closed_that_day"
    assert hours.reason(store, at("2026-11-21 01:00")) == "outside_hours"
    assert hours.next_change(store, at("2026-11-20 12:00")) == at("2026-11-21 12:00")


def test_closing_the_second_day_does_not_cut_the_night_before_short() -> None:
    store = opening(hours=NIGHT, exceptions={"2026-11-21": DateException(closed=True)})

    assert hours.open_now(store, at("2026-11-21 01:00"))
    assert not hours.open_now(store, at("2026-11-21 13:00"))
    assert hours.next_change(store, at("2026-11-21 01:00")) == at("2026-11-21 02:00")
    assert hours.next_change(store, at("2026-11-21 03:00")) == at("2026-11-27 22:00")


def test_an_exception_can_open_a_night_of_its_own() -> None:
    eve = DateException(spans=(("20:00", "04:00"),), note="跨年")
    store = opening(exceptions={"2026-12-31": eve})

    assert not hours.open_now(store, at("2026-12-31 12:00"))
    assert hours.open_now(store, at("2027-01-01 03:00"))
    assert hours.next_change(store, at("2026-12-31 20:00")) == at("2027-01-01 04:00")


def test_an_exception_far_ahead_is_the_next_change_of_a_store_that_never_closes() -> None:
    store = opening(
        hours=dict.fromkeys(hours.WEEKDAYS, (("00:00", "24:00"),)),
        exceptions={"2027-02-06": DateException(closed=True)},
    )

    assert hours.next_change(store, at("2026-11-21 10:00")) == at("2027-02-06 00:00")
    assert hours.next_opening(store, at("2027-02-06 10:00")) == at("2027-02-07 00:00")


def test_a_store_with_exceptions_only_is_open_on_those() -> None:
    fair = Opening(exceptions={"2026-12-05": DateException(spans=(("10:00", "16:00"),))})

    assert hours.next_opening(fair, at("2026-11-21 10:00")) == at("2026-12-05 10:00")
    assert hours.next_change(fair, at("2026-12-05 16:00")) is None


# zones with clock changes ---------------------------------------------------------------------------------------------


def test_a_night_in_which_the_clock_falls_back_lasts_an_hour_longer() -> None:
    berlin = opening(zone="Europe/Berlin", hours={"sat": (("22:00", "04:00"),)})  # 2026-10-25 03:00 becomes 02:00
    start = at("2026-10-24 22:00", "Europe/Berlin")

    end = hours.next_change(berlin, start)

    assert end is not None
    assert end - start.astimezone(UTC) == timedelta(hours=7)
    assert hours.open_now(berlin, at("2026-10-25 02:30", "Europe/Berlin", fold=1))


def test_a_night_in_which_the_clock_jumps_ahead_lasts_an_hour_less() -> None:
    berlin = opening(zone="Europe/Berlin", hours={"sat": (("22:00", "04:00"),)})  # 2026-03-29 02:00 becomes 03:00
    start = at("2026-03-28 22:00", "Europe/Berlin")

    end = hours.next_change(berlin, start)

    assert end is not None
    assert end - start.astimezone(UTC) == timedelta(hours=5)


def test_of_a_closing_time_that_happens_twice_the_first_counts() -> None:
    berlin = opening(zone="Europe/Berlin", hours={"sat": (("22:00", "02:30"),)})

    assert hours.open_now(berlin, at("2026-10-25 02:15", "Europe/Berlin"))
    assert not hours.open_now(berlin, at("2026-10-25 02:15", "Europe/Berlin", fold=1))


def test_an_opening_time_that_is_left_out_is_where_the_clock_jumps_to() -> None:
    berlin = opening(zone="Europe/Berlin", hours={"sun": (("02:30", "10:00"),)})

    opens = hours.next_change(berlin, at("2026-03-29 00:30", "Europe/Berlin"))

    assert opens == at("2026-03-29 03:30", "Europe/Berlin")


def test_a_span_inside_the_hour_that_is_left_out_does_not_happen() -> None:
    berlin = opening(zone="Europe/Berlin", hours={"sun": (("02:30", "03:00"),)})

    assert hours.next_change(berlin, at("2026-03-29 00:30", "Europe/Berlin")) == at("2026-04-05 02:30", "Europe/Berlin")


# the two functions agree ----------------------------------------------------------------------------------------------

clock = st.integers(0, 95).map(lambda q: f"{q // 4:02d}:{q % 4 * 15:02d}")
span = st.tuples(clock, clock).filter(lambda s: s[0] != s[1])
weeks = st.dictionaries(st.sampled_from(hours.WEEKDAYS), st.lists(span, min_size=1, max_size=3).map(tuple), max_size=7)
dates = st.dates(min_value=datetime(2026, 10, 20).date(), max_value=datetime(2026, 11, 8).date()).map(str)  # noqa: DTZ001
exceptions = st.dictionaries(
    dates,
    st.one_of(
        st.just(DateException(closed=True)),
        st.lists(span, min_size=1, max_size=2).map(lambda s: DateException(spans=tuple(s))),
    ),
    max_size=3,
)


@given(
    weeks, exceptions, st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]), st.integers(0, 20_000)
)
def test_nothing_turns_over_before_next_change_and_something_does_at_it(
    week: dict[str, tuple[tuple[str, str], ...]], off: dict[str, DateException], zone: str, minute: int
) -> None:
    store = Opening(hours=week, exceptions=off, zone=zone)
    now = datetime(2026, 10, 20, tzinfo=UTC) + timedelta(minutes=minute)

    change = hours.next_change(store, now)

    was = hours.open_now(store, now)
    until = change or now + timedelta(days=9)
    quarters = int((until - now) / timedelta(minutes=15))
    step = max(1, quarters // 60)
    assert all(hours.open_now(store, now + timedelta(minutes=15 * n)) == was for n in range(0, quarters, step))
    if change is not None:
        assert hours.open_now(store, change) != was
        assert hours.open_now(store, change - timedelta(seconds=1)) == was
