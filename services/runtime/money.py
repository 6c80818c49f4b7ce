"""Amounts as people read them: a decimal number, and the currency that was stored with it."""


def written(amount: str | None, currency: str | None) -> str:
    """Return the amount with its currency; of an amount that an older release stored, the number alone."""
    return " ".join(part for part in (amount, currency) if part)
