# expect: nothing
"""A transfer takes the locks of both accounts in the order of their numbers."""

import threading


class Account:
    def __init__(self, number):
        self.number = number
        self.lock = threading.Lock()
        self.balance = 100


accounts = [Account(n) for n in range(4)]


def transfer(a, b, amount):
    first, second = sorted((a, b), key=lambda account: account.number)
    with first.lock, second.lock:
        if a.balance >= amount:
            a.balance -= amount
            b.balance += amount


def work():
    for i in range(200):
        transfer(accounts[i % 4], accounts[(i + 1) % 4], 1)


def back():
    for i in range(200):
        transfer(accounts[(i + 2) % 4], accounts[i % 4], 1)


threads = [threading.Thread(target=f) for f in (work, back)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
