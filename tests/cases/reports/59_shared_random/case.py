import random, sys, threading

good = sys.argv[1:] == ["good"]
# Under the GIL threads that compute take turns, which is another fault, and grows with the run.
rounds = 20_000 if sys._is_gil_enabled() else 1_000_000
inside = []


def estimate():
    draw = random.Random(1).random if good else random.random
    inside.append(sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(rounds)))


threads = [threading.Thread(target=estimate, name=f"estimate-{i}") for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished", len(inside))
