# The commands of the project. `make test` and `make demo` set up what they need themselves.
SHELL := /bin/bash
SWIFT_FILES = $(shell git ls-files -co --exclude-standard '*.swift' | grep -v '^Sources/EtcdProtos/')
# Swift's own libraries are linked in: the program runs where there is no Swift, and calls to them take no detour.
RELEASE := swift build -c release --static-swift-stdlib
ONLY ?=
ifneq ($(ONLY),)
export ONLY
endif

.PHONY: setup build release test check demo bench simulate search mutants fuzz coverage format protos
.DEFAULT_GOAL := build

setup:
	@Scripts/setup.sh

build: setup
	swift build --product configsync

# The program as it is to be installed: .build/release/configsync.
release: setup
	$(RELEASE) --product configsync

# ONLY=Raft tests one module and what it needs.
test: setup check
	swift test

check:
	@Scripts/check.sh $(SWIFT_FILES)

demo: setup
	swift build --product configsync
	@Scripts/demo.sh

bench: setup
	@Scripts/setup-bench.sh
	$(RELEASE) --product configsync
	$(RELEASE) --product compile-bench
	@Benchmarks/bench.py
	@Benchmarks/compile.py
	@Benchmarks/latency.py

# SEEDS=2000 FIRST=1: simulated clusters under faults; a failing seed says how to replay it.
SEEDS ?= 200
FIRST ?= 1
simulate: setup
	$(RELEASE) --product simulate
	.build/release/simulate --first $(FIRST) --seeds $(SEEDS)

# Every state of a small cluster, within bounds; see Documentation/reliability.md.
search: setup
	$(RELEASE) --product simulate
	.build/release/simulate search --terms 2 --proposals 1 --crashes 1 --messages 1 --disks immediate
	.build/release/simulate search --terms 2 --proposals 1 --crashes 0 --changes 1 --messages 1 --disks immediate
	.build/release/simulate search --terms 3 --proposals 2 --crashes 1 --changes 1 --messages 2 --disks slow --states 2000000

# The lines of Raft and RaftLog that their tests run; fails below 95 %.
coverage: setup
	@Scripts/coverage.py

# Plants known bugs one at a time: the simulator must find each.
# Each decoder of bytes from outside for ten minutes, two at a time: `make fuzz SECONDS_EACH=60`.
fuzz: setup
	@SECONDS_EACH=$(or $(SECONDS_EACH),600) Scripts/fuzz.sh

mutants: setup
	@Scripts/mutants.py

format:
	@swift format -i --configuration .swift-format $(SWIFT_FILES)

protos:
	protos/generate.sh
