digits = input().strip()
places = {}
for i, digit in enumerate(digits):
    places.setdefault(digit, []).append(i)
jumps = {0: 0}
queue = [0]
for i in queue:
    for j in (i - 1, i + 1, *places.pop(digits[i], ())):
        if 0 <= j < len(digits) and j not in jumps:
            jumps[j] = jumps[i] + 1
            queue.append(j)
print(jumps[len(digits) - 1])
