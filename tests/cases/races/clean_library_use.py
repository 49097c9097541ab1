# expect: nothing
"""Classes and functions of the library that keep state of their own."""

import collections, weakref, abc
import threading


def run(*targets, each=1):
    ts = [threading.Thread(target=t) for t in targets for _ in range(each)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()


P = collections.namedtuple("P", "a b")


class Base(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


class D(Base):
    def f(self):
        return 1


class Q:
    pass


Base.register(Q)


def work():
    for i in range(20):
        isinstance(Q(), Base)
        isinstance(D(), Base)
        isinstance([], collections.abc.Sequence)
        issubclass(dict, collections.abc.Mapping)
        P(1, 2)._replace(a=3)
        collections.Counter("aab").most_common()
        collections.OrderedDict(a=1).move_to_end("a")
        collections.ChainMap({}, {}).get("x")
        r = weakref.ref(Q())
        weakref.WeakMethod(D().f)


run(work, each=3)
