import sys
import queue_of_calls

good = sys.argv[1:] == ["good"]
seen = []


class Task:
    def __init__(self, number):
        self.number = number

    def __call__(self):
        seen.append(self.number)


for number in range(20):
    queue_of_calls.add(Task(number))
queue_of_calls.run(good)
print(len(seen), "tasks")
