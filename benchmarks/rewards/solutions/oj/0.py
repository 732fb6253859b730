from itertools import combinations


def even_sums(numbers):
    return sorted({sum(three) for three in combinations(numbers[:20], 3) if sum(three) % 2 == 0})


def solve(numbers):
    return even_sums([n if n % 10 == 0 else n * 10 for n in numbers])[1]
