"""What the paper reports of its own data, for the report to show beside ours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Of the SFT set, one category."""

    samples: int
    """Responses trained on, repeats counted."""
    tokens: int


FIGURE_4 = {
    "math": Part(1_008_900, 3_063_300_000),
    "code": Part(465_400, 2_261_900_000),
    "science": Part(122_200, 162_000_000),
    "instruction_follow": Part(157_600, 194_100_000),
    "general_chat": Part(1_088_500, 1_646_700_000),
}
"""[Figure 4] 2,842.6K samples and 7,328M tokens, counted over responses."""
