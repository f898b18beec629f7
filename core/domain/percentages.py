"""Percentages as people read them: one form on every page and in every message."""


def format_percent(share: float) -> str:
    """Return a share as `27 %`: whole numbers from 10 up, one digit below; 0 and 100 only where they are exact.

    Rates end at 100 %, other shares need not.
    """
    return f"{_write_digits(share)} %"


def format_percent_range(low: float, high: float) -> str:
    """Return two shares as `19-37 %`."""
    return f"{_write_digits(low)}-{format_percent(high)}"


def _write_digits(share: float) -> str:
    percent = share * 100
    if percent in (0, 100):
        return f"{percent:.0f}"
    if percent < 10:  # noqa: PLR2004
        return f"{max(percent, 0.1):.1f}".removesuffix(".0")
    if 99.5 <= percent < 100.5:  # noqa: PLR2004
        return "99.9" if percent < 100 else "100.1"  # noqa: PLR2004
    return f"{percent:.0f}" if percent > 100 else f"{min(percent, 99.0):.0f}"  # noqa: PLR2004
