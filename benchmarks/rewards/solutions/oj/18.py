import sys


def solve():
    n = int(sys.stdin.readline())
    p = list(map(int, sys.stdin.readline().split()))
    swaps = i = 0
    while i < n:
        if p[i] == i + 1:
            swaps += 1
            i += 1
        i += 1
    print(swaps)
