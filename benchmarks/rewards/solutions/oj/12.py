import math


def solve(numbers):
    number = round(math.log(abs(sum(numbers[1::2])) + 1) * 100)
    return str(math.factorial(abs(number) % 1000) % 882377)
