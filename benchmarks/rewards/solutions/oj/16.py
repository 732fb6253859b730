import math
from itertools import combinations


def even_sums(numbers):
    return sorted({sum(three) for three in combinations(numbers[:20], 3) if sum(three) % 2 == 0})


def even_pairs(numbers):
    return sum((a + b) % 2 == 0 for a, b in combinations(numbers, 2))


def solve(numbers):
    return str(math.factorial(even_pairs(even_sums(numbers)) % 1000) % 882377)
