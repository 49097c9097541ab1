# expect: nothing
"""An actor: only its own thread touches its state; answers come by futures."""

import queue
import threading
from concurrent.futures import Future


class Actor:
    def __init__(self):
        self.inbox = queue.Queue()
        self.state = {}
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while (message := self.inbox.get()) is not None:
            key, answer = message
            self.state[key] = self.state.get(key, 0) + 1
            answer.set_result(self.state[key])

    def ask(self, key):
        answer = Future()
        self.inbox.put((key, answer))
        return answer.result()


actor = Actor()


def work():
    for i in range(50):
        actor.ask(i % 5)


threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
actor.inbox.put(None)
actor.thread.join()
print(sum(actor.state.values()))
