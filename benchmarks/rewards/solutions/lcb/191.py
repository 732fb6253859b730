n = int(input())
s = input()
wins = {who: [i for i, winner in enumerate(s) if winner == who] for who in "TA"}
print(max("TA", key=lambda who: (len(wins[who]), -wins[who][-1] if wins[who] else 0)))
