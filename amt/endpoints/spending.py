"""What answers cost: prices, what a question may cost at most, and what was spent.

Amounts are whole numbers of millionths of a millionth of the currency, so that sums are exact in any order.
"""

import json
from dataclasses import dataclass
from typing import Any

from amt.errors import EndpointError

ONE = 10**12
"""Of the currency."""
BYTES_PER_TOKEN = 3
"""Where an endpoint does not count: rather too many tokens than too few (English text has four bytes and more)."""


@dataclass(frozen=True)
class Price:
    """Of one token."""

    prompt: int
    completion: int

    @classmethod
    def per_million(cls, prompt: float, completion: float) -> "Price":
        """From prices of a million tokens, as providers state them."""
        return cls(round(prompt * ONE / 10**6), round(completion * ONE / 10**6))

    def of(self, prompt_tokens: int, completion_tokens: int) -> int:
        return prompt_tokens * self.prompt + completion_tokens * self.completion


FREE = Price(0, 0)


@dataclass(frozen=True)
class Terms:
    """On which a role is asked."""

    price: Price | None = None
    """None: nobody said it, and what the answers cost is not known."""
    budget: int | None = None
    """Most that all answers of the database may cost together."""
    currency: str = "USD"

    def worst(self, messages: list[dict[str, str]], max_tokens: int) -> int:
        """Most that an answer can cost: a token has at least one byte of UTF-8, and what JSON puts around the messages
        is more than what a chat template does."""
        if self.price is None:
            return 0
        return self.price.of(len(json.dumps(messages, ensure_ascii=False).encode()), max_tokens)

    def told(self, amount: int) -> str:
        return told(amount, self.currency)


@dataclass(frozen=True)
class Charge:
    """What is to be entered for one request."""

    role: str
    model: str
    price: Price | None
    answers: int = 0
    unusable: int = 0
    cut: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_estimated: bool = False
    perhaps: int = 0
    """Most that was billed beyond the tokens that were counted or estimated."""

    @property
    def cost(self) -> int:
        return self.price.of(self.prompt_tokens, self.completion_tokens) if self.price else 0


@dataclass(frozen=True)
class Spent:
    """By one role on one model, since the database was made."""

    role: str
    model: str
    answers: int
    unusable: int
    cut: int
    estimated: int
    unpriced: int
    prompt_tokens: int
    completion_tokens: int
    cost: int
    perhaps: int


class BudgetError(EndpointError):
    """The next question may cost more than is left."""


def exhausted(terms: Terms, spent: int, perhaps: int, worst: int) -> BudgetError:
    beyond = f", up to {terms.told(perhaps)} more were perhaps billed" if perhaps else ""
    return BudgetError(
        f"endpoint_budget is used up: {terms.told(spent)} of {terms.told(terms.budget)} are spent{beyond}, "
        f"and the next question may cost up to {terms.told(worst)}."
    )


def told(amount: int, currency: str) -> str:
    """An amount for people: cents, and more digits where it is small."""
    value = amount / ONE
    digits = 2 if value == 0 or value >= 1 else 4 if value >= 0.01 else 8
    return f"{value:,.{digits}f} {currency}"


def estimated_tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def table(rows: list[Spent], currency: str) -> list[str]:
    """Lines for `amt spending`: one a role and model, and their sum."""
    heads = ["role", "model", "answers", "unusable", "cut off", "tokens in", "tokens out", "cost", "perhaps"]
    cells = [heads, *([row.role, row.model, *_numbers(row, currency)] for row in rows)]
    if len(rows) > 1:
        cells.append(["all", "", *_numbers(_sum(rows), currency)])
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    total = _sum(rows)
    if total.estimated:
        lines.append(f"{total.estimated} answers came without a token count: theirs are estimated from their length.")
    if total.unpriced:
        lines.append(
            f"The cost of {total.unpriced} answers is not known and not in the sums: set endpoint_prices in the file "
            "that AMT_PLACEMENT names."
        )
    if total.cut:
        lines.append(
            f"{total.cut} requests brought no whole answer and were perhaps billed nevertheless. The most that may be "
            "stands under perhaps, and counts against the budget."
        )
    return lines


def _numbers(row: Spent, currency: str) -> list[Any]:
    counts = (row.answers, row.unusable, row.cut, row.prompt_tokens, row.completion_tokens)
    cost = "not known" if row.unpriced == row.answers + row.unusable > 0 else told(row.cost, currency)
    return [*(f"{count:,}" for count in counts), cost, told(row.perhaps, currency) if row.perhaps else "-"]


def _sum(rows: list[Spent]) -> Spent:
    names = [name for name in Spent.__dataclass_fields__ if name not in ("role", "model")]
    return Spent("", "", **{name: sum(getattr(row, name) for row in rows) for name in names})
