# expect: iteration enumerate
"""Workers take numbered lines from one enumerate()."""

import threading

lines = [f"line {i}" for i in range(2000)]
numbered = enumerate(lines)


def work():
    total = 0
    for number, line in numbered:
        total += number + len(line)


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
