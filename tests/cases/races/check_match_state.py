# expect: check-then-act Machine.state
"""A state machine looks at its state by match and moves on."""

import threading


class Machine:
    def __init__(self):
        self.state = "idle"

    def step(self):
        match self.state:
            case "idle":
                self.state = "busy"
            case "busy":
                self.state = "idle"


machine = Machine()


def work():
    for _ in range(300):
        machine.step()


threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("done")
