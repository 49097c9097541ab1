# expect: nothing
"""Two threads take turns by a Condition."""

import threading


class Game:
    def __init__(self):
        self.turn = 0
        self.moves = 0


game = Game()
cond = threading.Condition()


def play(me):
    for _ in range(100):
        with cond:
            while game.turn != me:
                cond.wait()
            game.moves += 1
            game.turn = 1 - me
            cond.notify()


threads = [threading.Thread(target=play, args=(n,)) for n in range(2)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(game.moves)
