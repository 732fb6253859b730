def spaced(text):
    return "".join(c + " " if c.isupper() else c for c in text)


def turned(text):
    return "".join(text[i : i + 3][::-1] for i in range(0, len(text), 3))


def solve(text):
    text = turned(spaced(text))
    return text[-1] + text[1:-1] + text[0]
