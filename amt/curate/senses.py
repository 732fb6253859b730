"""Words of which one in the place of another makes another problem: "more" for "fewer", "radius" for "diameter".

Ordinary text has them all over, so an edit may add or take away one; what keeps two texts apart is that each has more
of one sense of a group than the other. Lists are English, with the Chinese words for comparisons and operations.

Compiled code gets the tables as arguments: it is kept beside its own module and would not see them change.
"""

import numpy as np
from numba import njit

# Groups of senses, senses of words; a word stands once in all of them.
_COMPARISONS, _OTHERS = (
    tuple(tuple(frozenset(sense.split()) for sense in group) for group in groups)
    for groups in ((
        (
            "more greater larger bigger higher longer older",
            "less fewer smaller lower shorter younger",
        ),
        (
            "most maximum maximal largest greatest biggest highest longest oldest maximize",
            "least minimum minimal smallest fewest lowest shortest youngest minimize",
            "exactly",
        ),
        (
            "first", "last", "before", "after", "second", "third thirds", "quarter quarters", "fourth fourths",
            "fifth fifths", "sixth sixths", "seventh sevenths", "eighth eighths", "ninth ninths", "tenth tenths",
            "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
            "nineteenth", "twentieth", "thirtieth", "fortieth", "fiftieth", "hundredth", "thousandth",
        ),
        (
            "sum plus add added adding",
            "difference minus subtract subtracted subtracting remove removed",
            "product times multiply multiplied multiplying",
            "quotient divide divided dividing",
            "remainder",
        ),
        (
            "increase increases increased increasing ascending",
            "decrease decreases decreased decreasing descending",
        ),
        ("inside", "outside"),
        ("above", "below"),
        ("all every each", "any some"),
        ("and", "or"),
    ), (
        ("faster heavier taller wider deeper later", "slower lighter narrower shallower earlier"),
        # Numbers
        ("doubled", "tripled", "quadrupled", "halved"),
        ("dozen dozens", "score scores", "pair pairs"),
        ("ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii"),
        ("percentage", "permille", "decimal decimals", "fraction fractions"),
        ("square squares squared", "cube cubes cubed", "reciprocal reciprocals", "factorial factorials"),
        ("factor factors divisor divisors", "multiple multiples"),
        ("gcd", "lcm"),
        ("rational", "irrational"),
        ("integer integers", "real reals", "complex", "imaginary"),
        ("root roots", "coefficient coefficients"),
        ("arithmetic", "geometric", "harmonic"),
        ("linear", "quadratic", "cubic"),
        ("numerator", "denominator"),
        ("domain", "codomain"),
        ("inclusive", "exclusive"),
        ("same identical", "different"),
        ("distinguishable", "indistinguishable"),
        ("permutation permutations", "combination combinations"),
        (
            "total", "average mean", "median medians", "mode", "range", "variance", "deviation",
            "altitude altitudes", "bisector bisectors",
        ),
        # Functions and sets
        ("sine", "cosine", "tangent", "secant", "cosecant", "cotangent"),
        ("derivative derivatives", "integral integrals", "limit limits"),
        ("union", "intersection", "complement"),
        ("row rows", "column columns"),
        # Figures
        (
            "area areas", "perimeter perimeters", "volume volumes", "radius radii", "diameter diameters",
            "circumference", "length lengths", "width", "height", "center centers centre centres", "slope",
            "midpoint", "base bases", "distance", "speed", "cost", "profit", "probability",
        ),
        (
            "triangle triangles", "quadrilateral quadrilaterals", "rectangle rectangles", "rhombus", "trapezoid",
            "parallelogram", "pentagon", "hexagon", "octagon", "circle", "ellipse", "hyperbola", "parabola",
        ),
        ("sphere", "cone", "cylinder", "pyramid", "prism"),
        ("acute", "obtuse"),
        ("isosceles", "equilateral", "scalene"),
        ("convex", "concave"),
        ("inscribed", "circumscribed"),
        ("vertex vertices", "edge edges", "face faces", "side sides", "diagonal diagonals"),
        ("hypotenuse", "leg legs"),
        ("parallel", "perpendicular"),
        ("horizontal horizontally", "vertical vertically"),
        ("clockwise", "counterclockwise anticlockwise"),
        ("internal interior inner", "external exterior outer"),
        ("top", "bottom"),
        ("left", "right"),
        ("up upward upwards", "down downward downwards"),
        ("north", "south", "east", "west"),
        # Units
        ("seconds", "minute minutes", "hour hours", "day days", "week weeks", "month months", "year years"),
        (
            "mm millimeter millimeters millimetres", "cm centimeter centimeters centimetres",
            "meter meters metre metres", "km kilometer kilometers kilometres", "inch inches", "foot feet",
            "yard yards", "mile miles",
        ),
        (
            "mg milligram milligrams", "gram grams", "kg kilogram kilograms", "ton tons tonnes", "pound pounds lb lbs",
            "ounce ounces oz",
        ),
        ("ml milliliter milliliters", "liter liters litre litres", "gallon gallons", "pint pints", "quart quarts"),
        ("dollar dollars", "cent cents", "euro euros"),
        ("penny pennies", "nickel nickels", "dime dimes"),
        # Who and what
        ("boy boys", "girl girls"),
        ("man men", "woman women"),
        ("mother", "father"),
        ("brother brothers", "sister sisters"),
        ("son sons", "daughter daughters"),
        ("buy buys bought", "sell sells sold"),
        ("win wins won", "lose loses lost"),
        ("heads", "tails"),
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        (
            "red", "blue", "green", "yellow", "black", "white", "orange", "purple", "brown",
            "heart hearts heartsuit", "spade spades spadesuit", "club clubs clubsuit",
            "diamond diamonds diamondsuit", "ace aces", "king kings", "queen queens", "jack jacks",
        ),
        ("start starts starting begin begins beginning", "end ends ending"),
        ("prefix", "suffix"),
        ("uppercase", "lowercase"),
        ("inorder", "preorder", "postorder"),
        ("vowel vowels", "consonant consonants"),
        ("substring", "subsequence"),
        # Chinese
        ("大 多 长 高", "小 少 短 低"),
        ("加", "减", "乘", "除"),
        ("前", "后"),
        ("男", "女"),
        ("左", "右"),
        ("正", "负"),
        ("奇", "偶"),
    ))
)  # fmt: skip
_GROUPS = _COMPARISONS + _OTHERS
SENSES = tuple(sense for group in _GROUPS for sense in group)
"""Numbered through, the words of each."""
COMPARING = sum(map(len, _COMPARISONS))
"""So many of the first senses are comparisons and operations."""
GROUP_OF = np.repeat(np.arange(len(_GROUPS)), [len(group) for group in _GROUPS])
"""[senses] int64"""
_BITS, MOST = 3, 7
_IN_A_WORD = 64 // _BITS
WIDTH = -(-len(SENSES) // _IN_A_WORD)
"""Of a row of counts: uint64, 21 counts of 3 bits in each."""


@njit(cache=True)
def count_of(counts, sense):
    """How often a sense is there, up to MOST."""
    return (counts[sense // _IN_A_WORD] >> np.uint64(_BITS * (sense % _IN_A_WORD))) & np.uint64(MOST)


@njit(cache=True)
def add(counts, sense, times):
    """So many more of a sense; the caller sees to it that it stays between 0 and MOST. uint64, so that less wraps."""
    counts[sense // _IN_A_WORD] += times << np.uint64(_BITS * (sense % _IN_A_WORD))
