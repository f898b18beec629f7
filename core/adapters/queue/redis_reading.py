"""Reads values from Redis that strangers may have written: a bounded amount, and None for anything unexpected."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError


def read_text(redis: Redis, key: str | bytes, most_bytes: int) -> str | None:
    """Return a text; None if there is none, or if it has another type, is too long or is not UTF-8."""
    try:
        found = cast("bytes", redis.getrange(key, 0, most_bytes))  # One byte more than is accepted.
    except ResponseError:  # A key of another type.
        return None
    return decode(found) if found and len(found) <= most_bytes else None


def read_hash(redis: Redis, key: str, fields: Sequence[str], most_bytes: int) -> Mapping[str, bytes] | None:
    """Return a hash with no fields but these, empty if there is no such key.

    None if it is not a hash, has another field, or is too large; a large hash is not fetched.
    """
    with redis.pipeline(transaction=False) as pipeline:  # pyright: ignore[reportUnknownMemberType] - redis-py leaves arguments untyped
        pipeline.hlen(key)
        for field in fields:
            pipeline.hstrlen(key, field)
        try:
            count, *lengths = cast("list[int]", pipeline.execute())
        except ResponseError:  # A key of another type.
            return None
    if sum(lengths) > most_bytes:
        return None
    values = cast("list[bytes | None]", redis.hmget(key, fields)) if count else []
    found = {field: value for field, value in zip(fields, values, strict=False) if value is not None}
    return found if len(found) == count else None


def read_fields(redis: Redis, key: str, fields: Sequence[str], most_bytes: int) -> Mapping[str, str]:
    """Return the fields of a hash that exist and are UTF-8; none if it is not a hash or they are too large."""
    with redis.pipeline(transaction=False) as pipeline:  # pyright: ignore[reportUnknownMemberType] - redis-py leaves arguments untyped
        for field in fields:
            pipeline.hstrlen(key, field)
        try:
            if sum(cast("list[int]", pipeline.execute())) > most_bytes:
                return {}
            values = cast("list[bytes | None]", redis.hmget(key, fields))
        except ResponseError:  # A key of another type.
            return {}
    texts = {field: decode(value) for field, value in zip(fields, values, strict=True) if value is not None}
    return {field: text for field, text in texts.items() if text is not None}


def decode(value: bytes) -> str | None:
    """Return a text; None if the bytes are not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def read_moment(text: str | None) -> datetime | None:
    """Return a time, in UTC unless it says otherwise; None if there is none or it cannot be read."""
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
