# expect: Account.lock
"""Transfers both ways between two accounts."""

import threading


class Account:
    def __init__(self, money):
        self.money = money
        self.lock = threading.Lock()


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


def transfer(source, target, amount):
    with source.lock:
        with target.lock:
            source.money -= amount
            target.money += amount


left, right = Account(100), Account(100)


def forth():
    transfer(left, right, 10)


def back():
    transfer(right, left, 5)


run(forth, back)
