import re


def calculate(s):
    terms, operator = [], "+"
    for token in re.findall(r"\d+|[-+*/]", s):
        if not token.isdigit():
            operator = token
        elif operator == "+":
            terms.append(int(token))
        elif operator == "-":
            terms.append(-int(token))
        elif operator == "*":
            terms.append(terms.pop() * int(token))
        else:
            terms.append(int(terms.pop() / int(token)))
    return sum(terms)
