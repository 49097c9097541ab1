# expect: check-then-act Account.balance
"""Withdraws if there is enough."""

from concurrent.futures import ThreadPoolExecutor


class Account:
    def __init__(self, balance):
        self.balance = balance

    def withdraw(self, amount):
        if self.balance >= amount:
            self.balance -= amount
            return True
        return False


account = Account(500)


def spend():
    return sum(account.withdraw(3) for _ in range(100))


with ThreadPoolExecutor(2) as pool:
    futures = [pool.submit(spend) for _ in range(2)]
    print(sum(f.result() for f in futures) > 0)
