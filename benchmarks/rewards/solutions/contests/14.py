for _ in range(int(input())):
    n, r = map(int, input().split())
    missiles = 0
    for x in sorted(set(map(int, input().split())), reverse=True):
        if x <= missiles * r:
            break
        missiles += 1
    print(missiles)
