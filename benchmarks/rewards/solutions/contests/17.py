digits = sorted(input().strip())
first = next((i for i, digit in enumerate(digits) if digit != "0"), 0)
digits.insert(0, digits.pop(first))
print("OK" if "".join(digits) == input().strip() else "WRONG_ANSWER")
