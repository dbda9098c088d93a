# The commands of the project. `make test` and `make demo` set up what they need themselves.
SHELL := /bin/bash
SWIFT_FILES = $(shell git ls-files -co --exclude-standard '*.swift' | grep -v '^Sources/EtcdProtos/')
ONLY ?=
ifneq ($(ONLY),)
export ONLY
endif

.PHONY: setup build test check demo bench simulate mutants format protos
.DEFAULT_GOAL := build

setup:
	@Scripts/setup.sh

build: setup
	swift build --product configsync

# ONLY=Raft tests one module and what it needs.
test: setup check
	swift test

check:
	@Scripts/check.sh $(SWIFT_FILES)

demo: setup
	swift build --product configsync
	@Scripts/demo.sh

bench: setup
	swift build -c release --product configsync
	@Benchmarks/bench.sh

# SEEDS=2000 FIRST=1: simulated clusters under faults; a failing seed says how to replay it.
SEEDS ?= 200
FIRST ?= 1
simulate: setup
	swift build -c release --product simulate
	.build/release/simulate --first $(FIRST) --seeds $(SEEDS)

# Plants known bugs one at a time: the simulator must find each.
mutants: setup
	@Scripts/mutants.py

format:
	@swift format -i --configuration .swift-format $(SWIFT_FILES)

protos:
	protos/generate.sh
