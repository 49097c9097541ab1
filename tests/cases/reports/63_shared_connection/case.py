import sqlite3, sys, threading

good = sys.argv[1:] == ["good"]
QUERY = "select sum(a.value * b.value) from prices a, prices b"


def connect():
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute("create table prices (value)")
    database.executemany("insert into prices values (?)", [(i,) for i in range(500)])
    return database


shared = connect()


def ask():
    database = connect() if good else shared
    for _ in range(20):
        database.execute(QUERY).fetchone()


threads = [threading.Thread(target=ask, name=f"ask-{i}") for i in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print("finished")
