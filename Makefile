# Varve: build, run and test. `make` alone lists the targets.
#
# `make run` and `make test` need nothing but Go. Everything beyond (a C compiler for SQL, a real S3
# server, other clients) is a further target that says what it needs.

SHELL := bash
.DEFAULT_GOAL := help

GO ?= go
# SQL is DuckDB, which needs a C compiler; without one everything else is built and tested.
CC_FOUND := $(shell command -v "$${CC:-cc}" 2>/dev/null || command -v gcc 2>/dev/null || command -v clang 2>/dev/null)
export CGO_ENABLED ?= $(if $(CC_FOUND),1,0)

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
BIN := bin/varve

FUZZTIME ?= 60s
ROUNDS ?= 200
STORE ?= file
SEEDS ?= 20
EOS_TIME ?= 2m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/varve
	@mkdir -p bin
	$(GO) build -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/varve

.PHONY: run
run: build ## start a working agent on an embedded file store (127.0.0.1:9092, data in varve-data/)
	$(BIN) agent

.PHONY: test
test: ## run every test that needs nothing but Go (and those for SQL where there is a C compiler)
	@[ "$(CGO_ENABLED)" = 1 ] || echo "make test: no C compiler found: SQL query tests are left out (install gcc or clang to run them)"
	$(GO) test -timeout 10m ./...

.PHONY: race
race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -short -race -timeout 15m $(RACE_PACKAGES)

RACE_PACKAGES ?= ./agent/... ./catalog/... ./compaction/... ./tiering/... ./internal/... ./segment/... ./kafka/...

.PHONY: lint
lint: ## the house rules, gofumpt, vet and staticcheck
	$(GO) test -count=1 ./internal/lint
	@bad="$$($(GO) tool gofumpt -l $$(git ls-files '*.go'))"; [ -z "$$bad" ] || { echo "not formatted (make fmt):"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: fmt
fmt: ## format all Go files
	$(GO) tool gofumpt -w $$(git ls-files '*.go')

.PHONY: fuzz
fuzz: ## fuzz every decoder and every API for FUZZTIME each
	bench/fuzz-all $(FUZZTIME)

.PHONY: test-s3
test-s3: ## the store's conformance suite over MinIO, versitygw and moto, through both SDKs
	VARVE_REQUIRE_S3=1 localstack/test-s3

.PHONY: demo
demo: build ## three million flights, end to end; STORE=file, s3 or minio (the last two start MinIO)
	$(GO) run ./bench/demo -varve $(BIN) -store $(STORE)

.PHONY: crash
crash: build ## kill -9 under load, ROUNDS times; SEED=n repeats one
	$(GO) run ./bench/crash -varve $(BIN) -rounds $(ROUNDS) $(if $(SEED),-seed $(SEED))

.PHONY: eos
eos: build ## exactly-once under kill -9 of workers and agent: SEEDS seeds of EOS_TIME each; SEED=n repeats one
	@mkdir -p bin
	$(GO) build -o bin/eos ./bench/eos
	bin/eos -varve $(BIN) -seeds $(SEEDS) -time $(EOS_TIME) $(if $(SEED),-seed $(SEED))

.PHONY: compat
compat: build ## the report card: every client library and Kafka's tools (installs them: Go, Python, npm, Maven)
	$(GO) run ./bench/compat/card -varve $(BIN) -suite $(ARGS)

.PHONY: bench
bench: ## Go benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./agent/... ./kafka/... ./segment/...

.PHONY: bench-compare
bench-compare: build ## Varve, Apache Kafka and a bare sink in turn (needs Java and Maven)
	$(GO) run ./bench/compare -varve $(BIN) $(ARGS)

.PHONY: streams
streams: build ## a stateful Kafka Streams application, killed twice (needs Java and Maven)
	$(GO) run ./bench/streams -varve $(BIN) $(ARGS)

.PHONY: connect
connect: build ## Kafka Connect in distributed mode, file to file (needs Java and Maven)
	$(GO) run ./bench/connect -varve $(BIN) $(ARGS)

.PHONY: mirror
mirror: build ## MirrorMaker 2 from a real Apache Kafka (needs Java and Maven)
	$(GO) run ./bench/mirror -varve $(BIN) $(ARGS)

.PHONY: nightly
nightly: ## what CI has no time for, one after another: about an hour and a half
	$(MAKE) compat streams connect mirror
	$(MAKE) streams connect ARGS=-lose-disk
	$(MAKE) streams ARGS='-orders 300000 -rate 2500 -time 10m'
	$(MAKE) eos
	$(MAKE) crash
	$(MAKE) fuzz FUZZ_APIS=each

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
