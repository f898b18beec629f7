"""The amounts and dates of one conversation; they agree with each other, because the text calculates with them."""

from random import Random

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "September", "October", "November")


def draw_figures(rng: Random) -> dict[str, str]:
    """Return the value of every figure that a phrase may use; `yearly` is twelve times `monthly`, and so on."""
    monthly = rng.randrange(85, 960, 5)
    years = rng.randint(4, 19)
    payment = rng.randrange(180, 740, 10)
    months = rng.randint(9, 46)
    bills = rng.randrange(2_400, 6_800, 50)
    savings = round(bills * rng.uniform(2.2, 9.5), -2)
    small = rng.randrange(15, 120, 5)
    thousands = rng.choice((1_000, 5_000, 10_000))
    rate_percent = rng.randrange(21, 229) / 10
    minutes = rng.randint(11, 45)
    return {
        "monthly": _dollars(monthly),
        "yearly": _dollars(monthly * 12),
        "total": _dollars(monthly * 12 * years),
        "less_monthly": _dollars(round(monthly * 0.8)),
        "years": str(years),
        "payment": _dollars(payment),
        "months": str(months),
        "delay": str(max(2, round(months * 0.25))),
        "balance": _dollars(payment * months),
        "other_amount": _dollars(rng.randrange(4_000, 61_000, 100)),
        "savings": _dollars(round(savings)),
        "half": _dollars(round(savings / 2)),
        "bills": _dollars(bills),
        "cover": f"{savings / bills:.1f}",
        "half_cover": f"{savings / 2 / bills:.1f}",
        "small": _dollars(small),
        "weekly_year": _dollars(small * 52),
        "small_gift": _dollars(rng.randrange(140, 900, 10)),
        "fee": _dollars(rng.randrange(350, 2_400, 25)),
        "gap": _dollars(rng.randrange(320, 5_900, 20)),
        "thousand": _dollars(thousands),
        "rate": f"{rate_percent:.1f}",
        "rate_cost": _dollars(round(thousands * rate_percent / 100)),
        "minutes": str(minutes),
        "days": str(rng.randint(6, 29)),
        "rows": str(rng.randint(14, 212)),
        "later_age": str(rng.randint(58, 71)),
        "day": rng.choice(_DAYS),
        "month": rng.choice(_MONTHS),
    }


def _dollars(amount: int) -> str:
    return f"${amount:,}"
