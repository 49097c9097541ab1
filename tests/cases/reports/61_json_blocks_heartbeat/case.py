import json, sys, threading, time

good = sys.argv[1:] == ["good"]
rows = [{"id": i, "name": f"row {i}", "values": list(range(10))} for i in range(60_000)]
done = False
beats = 0


def heartbeat():
    global beats
    while not done:
        time.sleep(0.005)
        beats += 1


thread = threading.Thread(target=heartbeat, name="heartbeat")
thread.start()
for _ in range(3):
    if good:  # row by row, and a pause now and then
        for start in range(0, len(rows), 500):
            json.dumps(rows[start : start + 500])
            time.sleep(0.001)
    else:
        json.dumps(rows)
done = True
thread.join()
print("finished")
