for _ in range(int(input())):
    hints = [input().split() for _ in range(int(input()))]
    numbers = {max(1, int(n) + step) for _, n, _ in hints for step in (-1, 0, 1)}
    lies = []
    for n in numbers:
        truth = {"<": lambda m, n=n: n < m, ">": lambda m, n=n: n > m, "=": lambda m, n=n: n == m}
        lies.append(sum(truth.get(how, truth["="])(int(m)) != (said == "Yes") for how, m, said in hints))
    print(min(lies))
