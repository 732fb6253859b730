import sys


def solve():
    a, b = map(int, sys.stdin.readline().split())
    print(max(a + b, a - b, a * b))
