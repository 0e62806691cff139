"""When a store is open. Pure functions of a store's hours and a moment; nothing here reads a clock or a database.

The rules:

- Hours are wall-clock time in the store's zone, and a span belongs to the day on which it starts:
  ``("22:00", "02:00")`` on Friday is Friday's night, also at one o'clock on Saturday.
- A date exception replaces the spans that start on that date. So closing Saturday does not cut Friday's night short,
  and closing Friday closes Saturday's first hours too.
- Where a clock change makes a wall-clock time happen twice, the first is meant; where it leaves one out, the moment
  that the clock jumps over to.
- A temporary close and a state other than ``active`` win over all hours. A store without any hours is not known to be
  open, so it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from core.kernel.errors import Problem
from core.stores.errors import problem
from core.stores.types import Exceptions, Opening, OpenReason, OpenStatus, Span, WeeklyHours

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 1440
MAX_SPANS = 8
MAX_EXCEPTIONS = 400
_NEVER = datetime.max.replace(tzinfo=UTC)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def open_now(store: Opening, at: datetime) -> bool:
    """Say whether ``store`` is open at the (aware) moment ``at``."""
    return reason(store, at) == "open"


def reason(store: Opening, at: datetime) -> OpenReason:
    """Say why ``store`` is open or not at ``at``."""
    if store.state != "active":
        return "not_active"
    if store.closed_from is not None and store.closed_from <= at < (store.closed_until or _NEVER):
        return "temporarily_closed"
    if not store.hours and not store.exceptions:
        return "hours_unknown"
    zone = ZoneInfo(store.zone)
    today = at.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if any(start <= at < end for start, end in _intervals(store, zone, day)):
            return "open"
    exception = store.exceptions.get(today.isoformat())
    return "closed_that_day" if exception is not None and exception.closed else "outside_hours"


def next_change(store: Opening, at: datetime) -> datetime | None:
    """Return the next moment (UTC) after ``at`` at which ``open_now`` turns over; ``None`` if it never does."""
    before = open_now(store, at)
    return next((moment for moment in _boundaries(store, at) if open_now(store, moment) != before), None)


def next_opening(store: Opening, at: datetime) -> datetime | None:
    """Return when ``store`` is open next: ``at`` itself if it is open, ``None`` if never as far as is known."""
    return at if open_now(store, at) else next_change(store, at)


def status(store: Opening, at: datetime) -> OpenStatus:
    """Return all that a page shows about opening at ``at``."""
    why = reason(store, at)
    return OpenStatus(open_now=why == "open", reason=why, next_change=next_change(store, at))


def _spans(store: Opening, day: date) -> Sequence[Span]:
    exception = store.exceptions.get(day.isoformat())
    if exception is not None:
        return () if exception.closed else exception.spans
    return store.hours.get(WEEKDAYS[day.weekday()], ())


def _intervals(store: Opening, zone: ZoneInfo, day: date) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans that start on ``day`` as moments in UTC, the end not included."""
    for opens, closes in _spans(store, day):
        start, end = _minute(opens), _minute(closes)
        if end <= start:
            end += DAY_MINUTES
        yield _moment(zone, day, start), _moment(zone, day, end)


def _moment(zone: ZoneInfo, day: date, minute: int) -> datetime:
    days, rest = divmod(minute, DAY_MINUTES)
    clock = time(rest // 60, rest % 60)
    return datetime.combine(day + timedelta(days=days), clock, tzinfo=zone).astimezone(UTC)


def _boundaries(store: Opening, at: datetime) -> list[datetime]:
    """Return every moment after ``at`` at which something may change, in order.

    A week repeats, so it is enough to look at the week after now, after the end of a temporary close, and after each
    date exception.
    """
    zone = ZoneInfo(store.zone)
    today = at.astimezone(zone).date()
    pivots = {today} | {d for d in map(date.fromisoformat, store.exceptions) if d >= today}
    found: set[datetime] = {moment for moment in (store.closed_from, store.closed_until) if moment is not None}
    if store.closed_until is not None:
        pivots.add(max(today, store.closed_until.astimezone(zone).date()))
    for day in {pivot + timedelta(days=n) for pivot in pivots for n in range(-1, 9)}:
        for interval in _intervals(store, zone, day):
            found.update(interval)
    return sorted(moment.astimezone(UTC) for moment in found if moment > at)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


# checking what comes in ----------------------------------------------------------------------------------------------


def check_hours(hours: WeeklyHours) -> list[Problem]:
    """Return every reason why ``hours`` cannot be used: unknown days, unreadable times, spans that overlap."""
    found: list[Problem] = [_unknown_day(day) for day in hours if day not in WEEKDAYS]
    week: list[tuple[int, int, str]] = []
    for number, day in enumerate(WEEKDAYS):
        bad = list(_check_spans(day, hours.get(day, ())))
        found += bad
        if not bad:
            week += [(number * DAY_MINUTES + s, number * DAY_MINUTES + e, day) for s, e in _minutes(hours.get(day, ()))]
    if not week:
        return found
    week.sort()
    first = week[0]
    round_again = (first[0] + 7 * DAY_MINUTES, first[1] + 7 * DAY_MINUTES, first[2])
    return found + [_overlap(b[2]) for a, b in pairwise([*week, round_again]) if b[0] < a[1]]


def check_exceptions(exceptions: Exceptions) -> list[Problem]:
    """Return every reason why ``exceptions`` cannot be used: unreadable dates, neither or both of closed and spans."""
    found: list[Problem] = []
    if len(exceptions) > MAX_EXCEPTIONS:
        found.append(
            problem(
                "stores.exceptions_too_many",
                "例外日期最多 {most} 天。",
                "At most {most} date exceptions.",
                most=MAX_EXCEPTIONS,
            )
        )
    for day, exception in exceptions.items():
        if not _is_date(day):
            found.append(
                problem(
                    "stores.exception_invalid", "例外日期“{day}”无效。", "“{day}” is not a date (2026-02-17).", day=day
                )
            )
        if exception.closed == bool(exception.spans):
            found.append(
                problem(
                    "stores.exception_invalid",
                    "{day}:请选择全天停业,或填写当天的营业时段。",
                    "{day}: say either closed, or the spans of that day.",
                    day=day,
                )
            )
        bad = list(_check_spans(day, exception.spans))
        found += bad
        spans = [] if bad else sorted(_minutes(exception.spans))
        found += [_overlap(day) for a, b in pairwise(spans) if b[0] < a[1]]
    return found


def _check_spans(day: str, spans: Sequence[Span]) -> Iterable[Problem]:
    if len(spans) > MAX_SPANS:
        yield problem(
            "stores.hours_invalid",
            "{day}:时段最多 {most} 个。",
            "{day}: at most {most} spans.",
            day=day,
            most=MAX_SPANS,
        )
    for opens, closes in spans:
        if not _CLOCK.fullmatch(opens) or not (_CLOCK.fullmatch(closes) or closes == "24:00") or opens == closes:
            yield problem(
                "stores.hours_invalid",
                "{day}:时段“{opens}-{closes}”无效,请使用 08:00-22:00 的格式(全天为 00:00-24:00)。",
                "{day}: the span {opens}-{closes} cannot be used; write 08:00-22:00 (a whole day is 00:00-24:00).",
                day=day,
                opens=opens,
                closes=closes,
            )


def _minutes(spans: Sequence[Span]) -> list[tuple[int, int]]:
    pairs = [(_minute(opens), _minute(closes)) for opens, closes in spans]
    return [(start, end if end > start else end + DAY_MINUTES) for start, end in pairs]


def _is_date(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return bool(_DATE.fullmatch(day))  # fromisoformat reads 20260217 too, which would never be found by its date


def _unknown_day(day: str) -> Problem:
    return problem(
        "stores.hours_invalid", "“{day}”不是星期(mon 到 sun)。", "“{day}” is not a weekday (mon to sun).", day=day
    )


def _overlap(day: str) -> Problem:
    return problem("stores.hours_overlap", "{day}:时段相互重叠。", "{day}: spans overlap.", day=day)
