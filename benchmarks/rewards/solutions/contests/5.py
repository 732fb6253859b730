import sys


def main():
    words = iter(sys.stdin.read().split())
    n = int(next(words))
    alive = [1 - float(next(words)) for _ in range(n)]
    neighbours = [[] for _ in range(n)]
    for _ in range(n - 1):
        a, b = int(next(words)), int(next(words))
        neighbours[a].append(b)
        neighbours[b].append(a)
    parent, order = [-1] * n, [0]
    for a in order:
        for b in neighbours[a]:
            if b != parent[a]:
                parent[b] = a
                order.append(b)
    below = [0.0] * n
    for a in order[1:]:
        below[parent[a]] += alive[a]
    expected = sum(alive) - sum(alive[a] * below[a] for a in range(n))
    for _ in range(int(next(words))):
        a, now = int(next(words)), 1 - float(next(words))
        above = alive[parent[a]] if a else 0.0
        expected += (now - alive[a]) * (1 - below[a] - above)
        if a:
            below[parent[a]] += now - alive[a]
        alive[a] = now
        print(f"{expected:.5f}")


main()
