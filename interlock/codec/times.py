"""Dates and times as data, with the fold and the zone that ISO 8601 does not hold."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic_core import TzInfo

from interlock.codec.references import Refused
from interlock.errors import NotSerializable


def write_datetime(value: datetime) -> dict[str, Any]:
    """Return a datetime as data."""
    return {"$datetime": value.isoformat()} | _rest(value)


def read_datetime(data: dict[str, Any]) -> datetime:
    """Return the datetime that `write_datetime` made `data` from."""
    read = datetime.fromisoformat(data["$datetime"])
    zone = read_zone(data["zone"]) if "zone" in data else read.tzinfo
    return read.replace(tzinfo=zone, fold=data.get("fold", 0))


def write_time(value: time) -> dict[str, Any]:
    """Return a time as data."""
    return {"$time": value.isoformat()} | _rest(value)


def read_time(data: dict[str, Any]) -> time:
    """Return the time that `write_time` made `data` from."""
    read = time.fromisoformat(data["$time"])
    zone = read_zone(data["zone"]) if "zone" in data else read.tzinfo
    return read.replace(tzinfo=zone, fold=data.get("fold", 0))


def write_date(value: date) -> dict[str, Any]:
    """Return a date as data."""
    return {"$date": value.isoformat()}


def read_date(data: dict[str, Any]) -> date:
    """Return the date that `write_date` made `data` from."""
    return date.fromisoformat(data["$date"])


def write_timedelta(value: timedelta) -> dict[str, Any]:
    """Return a timedelta as data: days, seconds, microseconds."""
    return {"$timedelta": [value.days, value.seconds, value.microseconds]}


def read_timedelta(data: dict[str, Any]) -> timedelta:
    """Return the timedelta that `write_timedelta` made `data` from."""
    return timedelta(*data["$timedelta"])


def write_zone(value: tzinfo) -> dict[str, Any]:
    """Return a zone as data: by its name, or by its offset."""
    if type(value) is ZoneInfo and value.key:
        return {"$zone": value.key}
    offset = value.utcoffset(None)
    if offset is None or type(value) not in (timezone, TzInfo):
        kind = type(value).__qualname__
        raise Refused(kind, "Use zoneinfo.ZoneInfo or datetime.timezone as the zone.")
    written: dict[str, Any] = {"$offset": [offset.days, offset.seconds, offset.microseconds]}
    if type(value) is TzInfo:
        return written | {"of": "pydantic"}
    return written if _is_plain(value) else written | {"name": value.tzname(None)}


def read_zone(data: dict[str, Any]) -> tzinfo:
    """Return the zone that `write_zone` made `data` from.

    Raises:
        NotSerializable: this machine does not know a zone of that name.
    """
    if "$zone" in data:
        try:
            return ZoneInfo(data["$zone"])
        except ZoneInfoNotFoundError as error:
            raise NotSerializable(
                f"no time zone {data['$zone']!r} on this machine. Install the package 'tzdata'."
            ) from error
    offset = timedelta(*data["$offset"])
    if "of" in data:
        return TzInfo(offset.total_seconds())
    return timezone(offset, data["name"]) if "name" in data else timezone(offset)


def _rest(value: datetime | time) -> dict[str, Any]:
    rest: dict[str, Any] = {"fold": 1} if value.fold else {}
    if value.tzinfo is not None and not _is_plain(value.tzinfo):
        try:
            rest["zone"] = write_zone(value.tzinfo)
        except Refused as refused:
            refused.steps.append(".tzinfo")
            raise
    return rest


def _is_plain(zone: tzinfo) -> bool:
    """Whether ISO 8601 holds all of a zone: its offset and no name of its own."""
    offset = zone.utcoffset(None)
    return (
        type(zone) is timezone
        and offset is not None
        and zone.tzname(None) == timezone(offset).tzname(None)
    )
