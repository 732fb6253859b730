def countPrimes(n):
    prime = [True] * max(n, 2)
    prime[0] = prime[1] = False
    for i in range(2, int(n**0.5) + 1):
        if prime[i]:
            for j in range(i * i, n, i):
                prime[j] = False
    return sum(prime)
