for _ in range(int(input())):
    print("YES" if sum(a != b for a, b in zip(input(), "abc")) <= 2 else "NO")
