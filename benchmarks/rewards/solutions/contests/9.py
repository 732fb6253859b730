import sys

P = 10**9 + 7
n, k, *rest = map(int, sys.stdin.read().split())
parent = list(range(n + 1))


def find(a):
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    return a


for a, b, black in zip(rest[::3], rest[1::3], rest[2::3]):
    if not black:
        parent[find(a)] = find(b)
sizes = [0] * (n + 1)
for a in range(1, n + 1):
    sizes[find(a)] += 1
print((pow(n, k, P) - sum(pow(size, k, P) for size in sizes)) % P)
