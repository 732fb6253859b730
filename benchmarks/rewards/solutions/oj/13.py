from collections import Counter
from itertools import combinations


def thirds(words):
    counts = Counter(words)
    return sorted((word for word in counts if counts[word] % 3 == 0), reverse=True)


def even_pairs(numbers):
    return sum((a + b) % 2 == 0 for a, b in combinations(numbers, 2))


def solve(text):
    characters = sorted(set("".join(thirds(text.split(" ")))), reverse=True)
    return even_pairs([i for i, c in enumerate(characters) if c.isdigit()])
