# Firstday. `make demo` shows the main job; `make test` proves it.

export CGO_ENABLED = 0

VERSION ?= $(or $(shell git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//'),0.1.0-dev)
GOBUILD  = go build -trimpath -ldflags "-s -w -X main.version=$(VERSION) -X main.stamp=firstday-agent-version=$(VERSION);"
AGENTS   = windows-amd64 windows-arm64 darwin-amd64 darwin-arm64 linux-amd64 linux-arm64
FUZZTIME ?= 60s
lint     = go tool -modfile=tools/lint/go.mod

.PHONY: all build agents native papers resources demo test release-check bench fuzz lint vet setup clean
all: build

# The agents come first: the command line puts them into packages.
build: agents
	$(GOBUILD) -o bin/ ./cmd/firstday

agents: native $(AGENTS:%=agent-%)
agent-windows-%: resources
	GOOS=windows GOARCH=$* $(GOBUILD) -o bin/agents/firstday-agent-windows-$*.exe ./cmd/firstday-agent
agent-%:
	GOOS=$(firstword $(subst -, ,$*)) GOARCH=$(lastword $(subst -, ,$*)) \
		$(GOBUILD) -o bin/agents/firstday-agent-$* ./cmd/firstday-agent

# What runs inside Windows' sign-in screen, and packages carry beside the agents; and
# inside the login window of Macs.
native:
	agent/credprov/build.sh bin/native "$(VERSION)"
	agent/loginplugin/build.sh bin/native "$(VERSION)"
	mkdir -p bin/agents && rm -rf bin/agents/FirstdayLogin.bundle
	cp -R bin/native/firstday-credprov-*.dll bin/native/FirstdayLogin.bundle bin/agents/

# What a release brings beside the program: manual pages, completions.
papers:
	rm -rf bin/man bin/completions && mkdir -p bin/completions
	go run ./cmd/firstday man bin/man
	gzip -n -9 bin/man/*.1
	for shell in bash zsh fish; do go run ./cmd/firstday completion $$shell >bin/completions/firstday.$$shell || exit 1; done

# The name and version Windows shows in the agent's properties.
resources:
	go tool -modfile=tools/winres/go.mod go-winres make --in cmd/firstday-agent/winres.json \
		--out cmd/firstday-agent/resource --arch amd64,arm64 \
		--product-version "$(VERSION)" --file-version "$(VERSION)"

demo:
	scripts/setup.sh demo
	$(MAKE) build
	scripts/demo.sh $(ARGS)

# Every test with every outside judge at hand: under CI=true a missing one fails.
test:
	scripts/setup.sh test
	$(MAKE) build
	CI=true go test -timeout 30m ./...
	cd cmd/firstday-signer && CI=true CGO_ENABLED=1 go test -timeout 10m ./...

# Makes a release of what is committed, publishes nothing, and looks at it.
release-check:
	scripts/setup.sh release
	scripts/release-check.sh

bench:
	scripts/setup.sh demo
	go run ./bench

# One fuzz target after the other, $(FUZZTIME) each.
fuzz:
	scripts/fuzz.sh $(FUZZTIME)

# Made for this machine, and run for each of the others: it reads the files of the
# system that it is told.
golangci = "$$($(lint) -n golangci-lint)"

lint: vet
	for os in linux windows darwin; do GOOS=$$os $(golangci) run --allow-parallel-runners ./... || exit 1; done
	cd cmd/firstday-signer && go tool -modfile=../../tools/lint/go.mod golangci-lint run --allow-parallel-runners ./...
	cd tools/op && go tool -modfile=../lint/go.mod golangci-lint run --allow-parallel-runners ./...

# Code for other systems than this one is never run here; at least vet reads it,
# and what is released builds.
vet:
	for os in linux windows darwin; do GOOS=$$os go vet ./... || exit 1; done
	GOOS=darwin GOARCH=arm64 go vet ./agent/... ./cmd/...
	for os in linux windows darwin; do GOOS=$$os GOARCH=arm64 go build -o /dev/null ./cmd/firstday || exit 1; done
	cd cmd/firstday-signer && go vet ./...
	cd tools/op && go vet ./...

setup:
	scripts/setup.sh test

clean:
	rm -rf bin dist demo cmd/firstday-agent/*.syso
