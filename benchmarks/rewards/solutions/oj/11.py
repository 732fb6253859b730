import math
from itertools import combinations


def even_pairs(numbers):
    return sum((a + b) % 2 == 0 for a, b in combinations(numbers, 2))


def solve(numbers):
    moved = [n for n in numbers if n % 7] + [n for n in numbers if n % 7 == 0]
    return round(math.log(abs(even_pairs(moved)) + 1) * 100) % 2 == 0
