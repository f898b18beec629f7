"""Durations and money as people read them: one form on every page and in every message."""

CENTS_UNTIL_USD = 0.1
"""Below this a sum is shown to a hundredth of a cent: a call may cost less than a cent."""


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units, as `45 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:  # noqa: PLR2004 - from ten minutes on, seconds are noise
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def format_money(usd: float) -> str:
    """Return dollars and cents; four digits for what is less than ten cents."""
    return f"${usd:,.4f}" if 0 < usd < CENTS_UNTIL_USD else f"${usd:,.2f}"
