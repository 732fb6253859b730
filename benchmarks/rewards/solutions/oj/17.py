import base64


def solve(text):
    return [i for i, c in enumerate(base64.b64encode(text.encode()).decode()) if c.isdigit()]
