# expect: lost-update Account.balance
"""The balance is read into a local, changed, and written back two lines later."""

import threading


class Account:
    def __init__(self):
        self.balance = 1000


account = Account()


def withdraw(amount):
    balance = account.balance
    fee = 1 if amount > 3 else 0
    account.balance = balance - amount - fee


def work():
    for i in range(300):
        withdraw(i % 5)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
