def main():
    t1, t2, x1, x2, t0 = map(int, input().split())
    if t1 == t0 == t2:
        return x1, x2
    if t0 == t1:
        return x1, 0
    if t0 == t2:
        return 0, x2
    best = (0, x2)
    over, under = t2 - t0, t0 - t1
    # Of y1 and y2 the mixture is (y2 * over - y1 * under) / (y1 + y2) above t0.
    above, total = x2 * over, x2
    for y1 in range(1, x1 + 1):
        y2 = -(-y1 * under // over)
        if y2 > x2:
            break
        now, both = y2 * over - y1 * under, y1 + y2
        if now * total < above * both or (now * total == above * both and both > total):
            best, above, total = (y1, y2), now, both
    return best


print(*main())
