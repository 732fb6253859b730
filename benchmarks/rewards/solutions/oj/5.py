import math
import sys


def solve():
    n, m, k = map(int, sys.stdin.readline().split())
    ways = 0
    for i in range(min(n, k // (m + 1)) + 1):
        ways += (-1) ** i * math.comb(n, i) * math.comb(k - i * (m + 1) + n - 1, n - 1)
    print(ways % (10**6 + 7))
