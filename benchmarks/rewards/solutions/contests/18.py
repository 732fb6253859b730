from itertools import combinations

input()
total = 0
for a, b in combinations(map(int, input().split()), 2):
    total ^= a + b
print(total)
