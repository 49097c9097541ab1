import sys, threading
import runtime

good = sys.argv[1:] == ["good"]
done = False


def train():
    while not done:
        sum(range(1000))


if not good:
    threading.Thread(target=train, name="train").start()
answers = []
runtime.run_tasks(3, 30, answers.append)
done = True
print("finished", len(answers))
