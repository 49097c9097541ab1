# expect: lost-update total
"""A closure's variable is added to by two threads."""

import threading


def main():
    total = 0

    def work():
        nonlocal total
        for _ in range(1000):
            total += 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


main()
print("done")
