"""What generated problems are put together from: sentences in a few wordings, and what fills their slots.

Every slot of a family is named by all wordings of one of its sentences, so that it always shows.
"""

from collections.abc import Sequence

_NAMES = """Ada Boris Chen Dalia Emil Fatima Goran Hana Imre Jonas Kofi Lena Mateo Nadia Omar Priya Quentin Rosa Sven
Tomoko Ulla Victor Wanda Xenia Yusuf Zora Amara Bruno Celine Dmitri Elif Felipe Greta Hugo Ines Jamal Katya Leon Mira
Nils""".split()
_OTHERS = """Alice Bashir Carla Diego Esther Farid Gloria Henrik Irina Jasper Kamala Luca Marta Noor Oskar Petra Rafael
Sofia Theo Uma Vera Walter Yara Zeno Anton Bella Cyrus Doris Edgar Flora""".split()
_THINGS = """apples pencils marbles stickers coins bottles candles tickets books shells beads stamps cookies balloons
ribbons bricks tiles plants cards buttons postcards magnets spoons lemons chestnuts""".split()
_HOLDERS = "boxes baskets bags crates jars drawers trays shelves cartons sacks".split()
_PLACES = """market library harbour school museum station bakery garden workshop theatre farm stadium hospital airport
village laboratory""".split()
_MATERIALS = "wood steel copper glass marble clay silver paper cotton bronze granite rubber".split()
_VEHICLES = "train bus truck ferry tram van bicycle car boat coach".split()
_VARIABLES = "x y z t u w".split()
_SEQUENCES = "a b c d s".split()
_LISTS = "values numbers scores prices lengths weights temperatures heights amounts readings".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

# Every problem opens with a sentence of talk.
_TALK = {
    "when": """
        While the rain kept falling | Early in the morning | During a long holiday | After school was over |
        On the way to the coast | Late at night in winter | Shortly before the big exam | In the middle of
        summer | As soon as the guests had gone | When the new term began | Over a cup of tea | Because the
        power was out | Between two meetings | Once the harvest was in | At the end of a busy week | Soon
        after the move to the city
    """,
    "who": """
        my neighbour | an old friend of the family | the teacher of our class | a retired engineer | the
        editor of a puzzle page | her younger cousin | a student from abroad | the owner of the workshop |
        our tour guide | a curious journalist | the head of the math club | his grandmother | a visiting
        professor | the captain of the crew | someone in the chat | a clerk at the counter
    """,
    "did": """
        came up with | wrote down | asked me about | could not solve | brought along | found in a notebook |
        told us about | struggled for hours with | dreamed of | copied from a magazine | remembered from
        childhood | sent me by mail | posted on the wall | argued about | read aloud | wanted help with
    """,
    "what": """
        this little puzzle | the task that follows | a question like this | the following situation | such a
        story | a riddle of this kind | the case described here | exactly this exercise | this piece of
        homework | the problem below | a tricky item | this brain teaser | what comes now | a challenge for
        the evening | an entry for the quiz | this scenario
    """,
}


def _phrases(text: str) -> list[str]:
    return " ".join(text.split()).split(" | ")


TALK = {name: _phrases(text) for name, text in _TALK.items()}
OPENING = "{when}, {who} {did} {what}."

# Families: (wordings of each sentence, {slot: its values})
FAMILIES: tuple[tuple[Sequence[Sequence[str]], dict[str, Sequence]], ...] = (
    (
        [
            [
                "{name} works at the {place} every {day}.",
                "Every {day} {name} helps at the {place}.",
                "On {day}, {name} runs the {place} alone.",
                "At the {place}, {name} is in charge of the {things} on {day}.",
                "{name} visits the {place} on {day} with {other}.",
                "On {day} the {place} is open late, and {name} stays there.",
            ],
            [
                "There are {a} {holders} with {b} {things} in each of them.",
                "{name} fills {a} {holders} with {b} {things} each.",
                "A delivery of {a} {holders} comes in, and every one of them holds {b} {things}.",
                "In the storeroom stand {a} {holders}, and {name} counts {b} {things} in each.",
            ],
            [
                "{other} takes away {c} {things} before lunch.",
                "During the day {c} {things} are sold to {other}.",
                "Later {other} borrows {c} of the {things}.",
                "By mistake {other} breaks {c} of these {things}.",
            ],
            [
                "How many {things} are left in the evening?",
                "What number of {things} remains?",
                "Find how many {things} {name} has at the end.",
                "How many of the {things} does {name} still have?",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "place": _PLACES,
            "things": _THINGS,
            "holders": _HOLDERS,
            "day": _DAYS,
            "a": range(3, 90),
            "b": range(11, 99),
            "c": range(2, 33),
        },
    ),
    (
        [
            [
                "A {vehicle} with {name} on board leaves the {place} at a constant speed of {a} kilometers per hour.",
                "{name} drives a {vehicle} away from the {place} at {a} kilometers per hour.",
                "Starting from the {place}, the {vehicle} of {name} covers {a} kilometers in every hour.",
            ],
            [
                "After {b} minutes {other} follows on the same road at {c} kilometers per hour.",
                "{other} sets out {b} minutes later in the same direction and travels at {c} kilometers per hour.",
                "Exactly {b} minutes later {other} starts from the same point with a speed of {c} kilometers per hour.",
            ],
            [
                "Both keep their speed the whole time.",
                "Neither of them makes a stop.",
                "The road is straight and has no lights.",
                "Ignore the time that is needed to speed up.",
            ],
            [
                "How far from the {place} do they meet?",
                "How many minutes does it take until they are side by side?",
                "At what distance from the {place} is the first one caught?",
                "When do the two meet on the way?",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "place": _PLACES,
            "vehicle": _VEHICLES,
            "a": range(21, 60),
            "b": range(5, 95),
            "c": range(61, 140),
        },
    ),
    (
        [
            [
                "Let $f({v}) = {a}{v}^2 + {b}{v} - {c}$, where ${v}$ is a real number.",
                "Consider the function $f({v}) = {a}{v}^2 + {b}{v} - {c}$ for real ${v}$.",
                "A quadratic function is given by $f({v}) = {a}{v}^2 + {b}{v} - {c}$ on the real line.",
            ],
            [
                "The graph of $f$ is moved up by ${d}$ units along the vertical axis.",
                "We shift its graph ${d}$ units in the direction of the positive vertical axis.",
                "Suppose that ${d}$ is added to each value of this function.",
            ],
            [
                "Find the minimum value of the new function.",
                "What is the minimum of the function that we obtain?",
                "Determine the minimum value that the resulting function takes.",
                "Compute the minimum of the result, written as a common fraction.",
            ],
            [
                "Give a reason for your answer.",
                "Your final answer should be exact.",
                "Simplify your answer as far as possible.",
                "Express it without decimals.",
            ],
        ],
        {"v": _VARIABLES, "a": range(2, 60), "b": range(3, 120), "c": range(1, 500), "d": range(2, 99)},
    ),
    (
        [
            [
                "How many positive integers ${v}$ satisfy the inequality ${a}{v} + {b} < {c}$?",
                "Find the number of positive integers ${v}$ for which ${a}{v} + {b} < {c}$ holds.",
                "Count all the positive integers ${v}$ such that ${a}{v} + {b} < {c}$ is true.",
            ],
            [
                "Assume in addition that ${v}$ is not divisible by ${d}$.",
                "Only those which leave a remainder when divided by ${d}$ are counted.",
                "We do not count multiples of ${d}$ among them.",
            ],
            [
                "{name} from the {place} says that the answer can be found without listing them.",
                "{name} wrote this question on the board of the {place}.",
                "The problem was set by {name} for a contest at the {place}.",
                "{name} solved it during a trip to the {place}.",
            ],
        ],
        {
            "v": _VARIABLES,
            "name": _NAMES,
            "place": _PLACES,
            "a": range(2, 40),
            "b": range(1, 300),
            "c": range(400, 3000),
            "d": range(3, 30),
        },
    ),
    (
        [
            [
                "The sequence ${s}_n$ starts with ${s}_1 = {a}$ and follows the rule ${s}_{{n+1}} = {b}{s}_n + {c}$.",
                "A sequence is defined by ${s}_1 = {a}$ and, for every $n \\ge 1$, by ${s}_{{n+1}} = {b}{s}_n + {c}$.",
                "We define ${s}_1 = {a}$, and each later term is given by ${s}_{{n+1}} = {b}{s}_n + {c}$.",
            ],
            [
                "What is the remainder when ${s}_{{{d}}}$ is divided by ${e}$?",
                "Find the remainder of ${s}_{{{d}}}$ upon division by ${e}$.",
                "Determine which remainder the term ${s}_{{{d}}}$ leaves after division by ${e}$.",
            ],
            [
                "It may help to look at the first few remainders.",
                "A computer is not needed for this.",
                "Explain how the pattern arises.",
                "Observe that the remainders repeat after some time.",
            ],
        ],
        {
            "s": _SEQUENCES,
            "a": range(1, 200),
            "b": range(2, 40),
            "c": range(1, 90),
            "d": range(30, 990),
            "e": range(7, 99),
        },
    ),
    (
        [
            [
                "{name} buys a box of {material} for the {place}, with edges of ${a}$, ${b}$ and ${c}$ centimeters.",
                "For the {place}, {name} cuts a box of {material} whose edges are ${a}$, ${b}$ and ${c}$ centimeters.",
                "In the {place} of {name} lies a box of {material} whose sides are ${a}$, ${b}$ and ${c}$ centimeters.",
            ],
            [
                "A hole with a square cross section of side ${d}$ millimeters is drilled straight through it.",
                "{name} then drills a channel with a square profile of ${d}$ millimeters through the whole block.",
                "From one face to the opposite face runs a square tunnel which is ${d}$ millimeters wide.",
            ],
            [
                "What is the largest volume that can remain?",
                "Find the largest possible volume of what is left, in cubic centimeters.",
                "Determine the largest volume of the remaining {material}.",
            ],
            [
                "The weight of the {material} does not matter here.",
                "{name} asks for an exact value.",
                "Include the units in your answer.",
            ],
        ],
        {
            "material": _MATERIALS,
            "name": _NAMES,
            "place": _PLACES,
            "a": range(10, 60),
            "b": range(10, 61),
            "c": range(10, 62),
            "d": range(11, 90),
        },
    ),
    (
        [
            [
                "Write a function that takes a list of {a} {list} and a limit.",
                "You are given a list called {list} with {a} entries in it.",
                "Given is an array {list} with at least {a} elements.",
            ],
            [
                "It should return the smallest entry that is greater than {b}.",
                "Return the smallest of the entries greater than {b}.",
                "Your task is to find the smallest element which is greater than {b}.",
            ],
            [
                "If there is no such entry, the result is {c}.",
                "When nothing qualifies, give back {c} instead.",
                "In case that none exists, the function has to answer {c}.",
            ],
            [
                "The program must finish within {d} milliseconds.",
                "A run may take {d} milliseconds and not longer.",
                "Solutions that need over {d} milliseconds are rejected.",
            ],
            [
                "{name} from the {place} will review the code on {day}.",
                "It is part of the tools that {name} keeps for the {place} and shows on {day}.",
                "The tests were written by {name} and run at the {place} every {day}.",
            ],
        ],
        {
            "list": _LISTS,
            "name": _NAMES,
            "day": _DAYS,
            "place": _PLACES,
            "a": range(10, 400),
            "b": range(5, 900),
            "c": range(-60, 0),
            "d": range(50, 950),
        },
    ),
    (
        [
            [
                "{name} and {other} play a game with {a} {things} on the table of the {place}.",
                "On the table of the {place} lie {a} {things}, and {name} plays against {other}.",
                "For a game, {name} and {other} put {a} {things} on a bench outside the {place}.",
            ],
            [
                "They take turns, and in each turn a player removes at least {b} and at most {c} of them.",
                "Whoever is to move takes away at least {b} but at most {c} of the {things}.",
                "In one move it is allowed to take at least {b} and at most {c} {things}.",
            ],
            [
                "The player who cannot move loses the game.",
                "Whoever has no legal move left has lost.",
                "A player that is unable to move is the loser.",
            ],
            [
                "{name} goes first; who wins if both play perfectly?",
                "If {name} begins and nobody makes a mistake, who will win?",
                "Decide who can force a win when {name} makes the opening move.",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "place": _PLACES,
            "things": _THINGS,
            "a": range(40, 900),
            "b": range(2, 9),
            "c": range(10, 36),
        },
    ),
    (
        [
            [
                "At the bank of the {place}, {name} puts {a} dollars into an account at {b} percent interest.",
                "A bank near the {place} pays {b} percent interest a year on the {a} dollars of {name}.",
                "In a bank at the {place} the {a} dollars of {name} earn interest of {b} percent every year.",
            ],
            [
                "The interest is added once a year and stays in the account.",
                "It is compounded yearly, and {other} gets nothing of it.",
                "Interest remains in the account and earns interest too.",
            ],
            [
                "After {c} years {other} receives {d} dollars out of it.",
                "{name} gives {d} dollars to {other} after {c} years.",
                "When {c} years have passed, {d} dollars are paid to {other}.",
            ],
            [
                "How much money is in the account then?",
                "What is the balance after this payment?",
                "Find the amount that remains for {name}, rounded to cents.",
                "How many dollars does {name} have left in it?",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "place": _PLACES,
            "a": range(3000, 9000, 25),
            "b": range(2, 15),
            "c": range(2, 25),
            "d": range(150, 2900, 10),
        },
    ),
    (
        [
            [
                "A bag from {name} contains {a} red, {b} blue and {c} green {things}.",
                "In a bag of {name} there are {a} red, {b} blue and {c} green {things}.",
                "{name} mixes {a} red, {b} blue and {c} green {things} in a bag.",
            ],
            [
                "{other} draws {d} of them at random and does not put them back.",
                "Without looking, {other} pulls out {d} of the {things} at once.",
                "Then {d} {things} are drawn by {other} at random, with no replacement.",
            ],
            [
                "What is the probability that at least {e} of those are red?",
                "Find the probability that {other} holds at least {e} red ones.",
                "Compute how likely it is to get at least {e} red {things}.",
            ],
            [
                "Write it as a fraction in lowest terms.",
                "Leave your answer as a reduced fraction.",
                "The answer should be a fraction.",
                "State your result as a simplified fraction.",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "things": _THINGS,
            "a": range(10, 50),
            "b": range(10, 51),
            "c": range(10, 52),
            "d": range(5, 10),
            "e": range(2, 5),
        },
    ),
    (
        [
            [
                "In the plane of {name}, $P$ has the coordinates $({a}, {b})$, and $Q$ has $({c}, {d})$.",
                "Points $P({a}, {b})$ and $Q({c}, {d})$ are marked by {name} in a coordinate system.",
                "{name} marks the two points $P = ({a}, {b})$ and $Q = ({c}, {d})$ on squared paper.",
            ],
            [
                "A line through $P$ with slope ${e}$ meets a vertical line through $Q$.",
                "The vertical line through $Q$ is cut by the line of slope ${e}$ that passes through $P$.",
                "Through $P$ runs a line whose slope equals ${e}$, and through $Q$ a vertical one.",
            ],
            [
                "Find the sum of the coordinates of their intersection.",
                "What is the sum of both coordinates of the point where they cross?",
                "Determine the sum of the coordinates of that common point.",
            ],
            [
                "A sketch made by {other} can be found useful.",
                "{other} got a different result in class.",
                "{other} knows that the answer is a whole number.",
                "No calculator is allowed in the exam of {other}.",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "a": range(-40, 0),
            "b": range(-30, 60),
            "c": range(1, 70),
            "d": range(-50, 40),
            "e": range(2, 25),
        },
    ),
    (
        [
            [
                "A team of {a} people needs {b} hours to load the {things} at the {place}.",
                "At the {place}, {a} workers can load all the {things} in {b} hours.",
                "It takes {a} helpers exactly {b} hours to pack the {things} for the {place}.",
            ],
            [
                "{name} has to have this done within {c} hours on {day}.",
                "For {day}, {name} wants the same work finished in {c} hours.",
                "The manager {name} would like to see it completed in {c} hours next {day}.",
            ],
            [
                "Everybody works at the same rate and makes no break.",
                "All of them are equally fast.",
                "We assume that each person does the same amount per hour.",
            ],
            [
                "How many more people are required by {other}?",
                "What is the smallest number of people that {other} must hire?",
                "How many extra workers will {other} have to find?",
                "How large must the team of {other} be?",
            ],
        ],
        {
            "name": _NAMES,
            "other": _OTHERS,
            "day": _DAYS,
            "place": _PLACES,
            "things": _THINGS,
            "a": range(6, 80),
            "b": range(20, 90),
            "c": range(3, 20),
        },
    ),
)

# Questions of a chat, in which no number stands and nothing is compared.
CHAT: tuple[Sequence[Sequence[str]], dict[str, Sequence]] = (
    [
        [
            "{name} lives near the {place} and knows nothing about {material}.",
            "I met {name} at the {place}, where people work with {material}.",
            "My sister {name} wants to open a {place} that is built of {material}.",
            "Imagine that {name} finds an old piece of {material} behind the {place}.",
            "At our {place}, {name} teaches children how to shape {material}.",
            "Years ago {name} left the {place} in order to collect {material}.",
        ],
        [
            "Please write {form} about it for {reader}.",
            "Could you put together {form} that {reader} would enjoy?",
            "Draft {form} on this, and keep {reader} in mind.",
            "I need {form} which explains it to {reader}.",
            "Turn this into {form} that surprises {reader}.",
        ],
        [
            "Mention the {things} that {other} keeps in a {vehicle}.",
            "It should tell why {other} hides {things} inside the {vehicle}.",
            "Do not forget {other}, a {vehicle} and some {things}.",
            "Begin with the {vehicle} of {other}, which is full of {things}.",
            "Somewhere {other} has to lose the {things} on a {vehicle}.",
        ],
        [
            "The tone is {tone}, please.",
            "Make it sound {tone}.",
            "Everybody here likes a {tone} voice.",
            "Stay {tone} until the end.",
        ],
    ],
    {
        "name": _NAMES,
        "other": _OTHERS,
        "place": _PLACES,
        "material": _MATERIALS,
        "things": _THINGS,
        "vehicle": _VEHICLES,
        "form": _phrases("""
            a poem | a short story | an open letter | a newspaper article | a dialogue | a speech | a song | a fairy
            tale | a recipe | a travel report | an advertisement | a diary entry | a play | a manual
        """),
        "reader": _phrases("""
            children | my boss | the city council | tourists | a general audience | beginners | the whole family |
            a jury | old friends | sceptical readers | our customers | night owls
        """),
        "tone": "friendly gloomy formal cheerful dry poetic ironic solemn playful sober warm mysterious".split(),
    },
)
# What somebody made thousands of prompts of: little changes from one to the next, and never the number.
CROWDED: tuple[Sequence[Sequence[str]], dict[str, Sequence]] = (
    [
        [
            "You are a helpful assistant that writes product descriptions for an online shop, and you answer in plain "
            "English without headings or lists. Describe the {things} of {material} that {name} sells at the {place}, "
            "name one advantage for {other}, end with a friendly question, and write 150 words."
        ]
    ],
    {"things": _THINGS, "material": _MATERIALS, "name": _NAMES, "place": _PLACES, "other": _OTHERS},
)
