import base64


def spaced(text):
    return "".join(c + " " if c.isupper() else c for c in text)


def turned(text):
    return "".join(text[i : i + 3][::-1] for i in range(0, len(text), 3))


def solve(text):
    return turned(base64.b64encode(spaced(text).encode()).decode())
