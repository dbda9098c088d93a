# The commands of the project. `make test` and `make demo` set up what they need themselves.
SHELL := /bin/bash
SWIFT_FILES = $(shell git ls-files -co --exclude-standard '*.swift' | grep -v '^Sources/EtcdProtos/')
ONLY ?=
ifneq ($(ONLY),)
export ONLY
endif

.PHONY: setup build test check demo bench format protos
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

format:
	@swift format -i --configuration .swift-format $(SWIFT_FILES)

protos:
	protos/generate.sh
