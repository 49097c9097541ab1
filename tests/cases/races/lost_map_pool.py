# expect: lost-update Account.balance
"""concurrent.futures map: every task deposits to one account."""

from concurrent.futures import ThreadPoolExecutor


class Account:
    def __init__(self):
        self.balance = 0

    def deposit(self, amount):
        self.balance += amount


account = Account()
with ThreadPoolExecutor(max_workers=4) as pool:
    list(pool.map(account.deposit, range(50)))
print("done")
