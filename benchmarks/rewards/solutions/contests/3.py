from collections import Counter

n = int(input())
last, current = (Counter(input().strip() for _ in range(n)) for _ in range(2))
print(sum((last - current).values()))
