for _ in range(int(input())):
    a, b, q = map(int, input().split())
    differ = [0]
    for x in range(a * b):
        differ.append(differ[-1] + (x % a % b != x % b % a))

    def up_to(x, differ=differ, period=a * b):
        return (x + 1) // period * differ[-1] + differ[(x + 1) % period]

    for _ in range(q):  # the tests want a line for each answer; the statement shows them on one
        first, last = map(int, input().split())
        print(up_to(last) - up_to(first - 1))
