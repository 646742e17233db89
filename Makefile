# Run `make help` for the list. Everything a target needs beyond Go is put into
# .tools, outside the module.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   := $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION) -X main.branch=$(BRANCH)

GOLANGCI_VERSION := v2.15.0
GOLANGCI := .tools/golangci-lint
FUZZTIME ?= 60s
COVERAGE_GOAL := 90

.PHONY: all build test vet lint bench bench-forecast bench-detect bench-threats bench-models bench-recommend bench-capacity pictures demo golden soak clean help

all: vet test build ## check, test and build

build: ## build ./upid: static, trimmed, version stamped
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o upid ./cmd/upid

vet: ## gofmt and go vet
	@unformatted=$$(gofmt -l cmd collector dashboards detect forecast rules tools); \
	if [ -n "$$unformatted" ]; then echo "not gofmt clean:"; echo "$$unformatted"; exit 1; fi
	CGO_ENABLED=0 go vet -trimpath ./...

test: vet ## run every test with the race detector, real servers included, and check coverage
	@tools/servers.sh .tools
	@. .tools/servers.env && tools/test.sh $(COVERAGE_GOAL)

lint: ## run golangci-lint (installed into .tools at first, which takes minutes)
	@[ -x $(GOLANGCI) ] || GOBIN=$(CURDIR)/.tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	$(GOLANGCI) run ./...

bench: ## time decoding, rendering, scoring, forecasting and 10,000 series, each beside its goal
	@tools/bench.sh

bench-forecast: build ## measure accuracy on real series beside every goal; PEERS=1 runs other forecasters too
	@go run ./tools/benchforecast -v $(if $(PEERS),-peers)

bench-detect: build ## measure detection on real and simulated series beside every goal and other detectors, without each view too
	@status=0; go run ./tools/benchdetect || status=$$?; \
	UPID_ABLATION=1 go test -count=1 -run '^TestAblation$$' -v ./detect | sed -n 's/^ *ablation_test.go:[0-9]*: //p'; exit $$status

bench-threats: build ## measure upid threats on labelled counters beside every goal and the rules people write today
	@go run ./tools/benchthreat

bench-models: build ## time training and asking learned models, one core, each beside its goal
	@tools/bench_models.sh

bench-recommend: build ## measure right-sizing on real traces beside every goal and the formulas of KRR, VPA and Crane
	@go run ./tools/benchrecommend

bench-capacity: ## measure dates of exhaustion, alerts on saw-teeth, leaks and the spend ahead; LEAK_WEEKS=1 asks 2,000 pod-weeks for false alarms
	@UPID_LEAK_WEEKS=$(LEAK_WEEKS) go test -count=1 -timeout 30m -v -run '^(TestCoverage.*|TestNoAlertsOnTeeth|TestLeakOnNoisyPods|TestNoLeakAlarms|TestSpendCoverage)$$' ./forecast/capacity | sed -n 's/^ *[a-z_]*_test.go:[0-9]*: //p; /^\(--- FAIL\|FAIL\|ok\)/p'

pictures: build ## draw the pictures of docs/detection.md again
	@go run ./tools/pictures

demo: build ## run upid demo: a cluster with incidents, nothing to install
	./upid demo

golden: ## rewrite the golden files and docs/metrics.md; read the diff as a reviewer would
	UPDATE=1 go test -count=1 ./collector ./collector/views ./dashboards/... ./rules ./cmd/upid/config
	UPDATE=1 go test -count=1 -short ./cmd/upid

soak: ## fuzz every target for FUZZTIME (default 60s) each, then kill -9 the sidecar 50 times
	@tools/soak.sh $(FUZZTIME)

clean: ## remove what was built
	rm -rf upid .tools coverage.out

help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
