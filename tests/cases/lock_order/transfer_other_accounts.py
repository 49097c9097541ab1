# expect: nothing
"""Transfers between accounts that no two threads share both of."""

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
    with source.lock, target.lock:
        source.money -= amount
        target.money += amount


accounts = [Account(100) for _ in range(4)]


def one():
    transfer(accounts[0], accounts[1], 1)


def two():
    transfer(accounts[3], accounts[2], 1)


run(one, two)
