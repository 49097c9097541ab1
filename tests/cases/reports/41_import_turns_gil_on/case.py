import sys, warnings

warnings.simplefilter("ignore")
if sys.argv[1:] == ["good"]:
    import fresh
else:
    import old
print("GIL", sys._is_gil_enabled())
