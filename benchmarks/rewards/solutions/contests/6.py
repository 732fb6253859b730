from itertools import accumulate

P = 998244353
n = int(input())
given = list(map(int, input().split()))
values = range(201)
# rising: the one before was smaller, so the next must not be. fine: nothing is asked of the next.
rising, fine = [0] * 201, [0] * 201
for i, number in enumerate(given):
    may = [v > 0 and number in (-1, v) for v in values]
    if i == 0:
        rising = [int(v) for v in may]
        continue
    both = [a + b for a, b in zip(rising, fine)]
    smaller = [0, *accumulate(both)]
    larger = [sum(fine) - s for s in accumulate(fine)]
    rising = [smaller[v] % P if may[v] else 0 for v in values]
    fine = [(both[v] + larger[v]) % P if may[v] else 0 for v in values]
print(sum(fine) % P)
