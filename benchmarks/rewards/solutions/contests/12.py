from collections import Counter

n, size = map(int, input().split())
counts = [count for _, count in sorted(Counter(map(int, input().split())).items())]
kept = 2 ** min(20, 8 * size // n)
kept_now = best = sum(counts[:kept])
for i in range(kept, len(counts)):
    kept_now += counts[i] - counts[i - kept]
    best = max(best, kept_now)
print(n - best)
