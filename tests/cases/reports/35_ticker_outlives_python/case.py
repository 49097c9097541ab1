import sys, time
import ticker

ticks = []
ticker.start(lambda: ticks.append(1))
time.sleep(0.2)
if sys.argv[1:] == ["good"]:
    ticker.stop()
print("main ends after", len(ticks) > 10)
