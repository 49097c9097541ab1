import sys, time
import ticker

kept = [[] for _ in range(2_000_000)]  # what takes a moment to clear when the interpreter ends
ticks = []
ticker.start(lambda: ticks.append(1))
time.sleep(0.5)
if sys.argv[1:] == ["good"]:
    ticker.stop()
print("main ends after", len(ticks) > 5)
