import sys

n, m, p, *rest = map(int, sys.stdin.read().split())
grown = [{} for _ in range(n + 1)]
for i, j in zip(rest[: 2 * p : 2], rest[1 : 2 * p : 2]):
    grown[i][j] = grown[i].get(j, 0) + 1
for row in grown[1:]:
    stuck = any(j < m and j + more > j + 1 + row.get(j + 1, 0) for j, more in row.items())
    print(-1 if stuck else m + row.get(m, 0) - 1 - row.get(1, 0))
