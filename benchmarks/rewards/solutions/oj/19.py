import base64


def turned(text):
    return "".join(text[i : i + 3][::-1] for i in range(0, len(text), 3))


def solve(text):
    return base64.b64encode(turned(text).encode()).decode() * 2
