# expect: Bus.lock Model.lock
"""A callback is called with a lock held and takes one of its own."""

import threading


class Bus:
    def __init__(self):
        self.lock = threading.Lock()
        self.listeners = []

    def publish(self, event):
        with self.lock:
            for listener in self.listeners:
                listener(event)

    def subscribe(self, listener):
        with self.lock:
            self.listeners.append(listener)


class Model:
    def __init__(self, bus):
        self.lock = threading.Lock()
        self.bus = bus

    def on_event(self, event):
        with self.lock:
            self.last = event

    def attach(self):
        with self.lock:
            self.bus.subscribe(self.on_event)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


bus = Bus()
first = Model(bus)
bus.listeners.append(first.on_event)


def publisher():
    bus.publish("event")


run(publisher, first.attach)
