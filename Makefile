# Weft. `make demo` sets up and runs the main job; `make test` sets up and passes the tests.
.DEFAULT_GOAL := help
SHELL := /bin/bash

SWIFT ?= swift
# Whole-program optimisation across modules, and one file to copy to a machine without a Swift toolchain.
RELEASE_FLAGS ?= -c release --static-swift-stdlib -Xswiftc -cross-module-optimization
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600

.PHONY: help deps build demo demo-stop demo-proxy test bench bench-check hostile filter-figures scale parity fuzz asan \
  tsan format lint install clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install the Debian packages that building and testing need
	@scripts/deps.sh

build: deps ## Build the release binaries, .build/release/weft and weft-mesh
	$(SWIFT) build $(RELEASE_FLAGS) --product weft
	$(SWIFT) build $(RELEASE_FLAGS) --product weft-mesh

demo: build ## Run a mesh on this machine: services, sidecars, canaries, a control plane that is killed
	@scripts/demo.py

demo-stop: ## End what `make demo` left running
	@scripts/demo.py --stop

demo-proxy: build ## Start backends and a proxy alone, send traffic, edit a filter while it flows
	@scripts/demo-proxy.sh

test: deps ## Build and run all tests
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --parallel

bench: build ## Compare with nginx, HAProxy, nginx's Lua module and Envoy
	$(SWIFT) build $(RELEASE_FLAGS) --product WeftLoad
	@scripts/deps.sh bench
	@Benchmarks/run.py

bench-check: build ## Hold instructions per request against the committed baselines
	@scripts/deps.sh bench-check
	@Benchmarks/check.py

hostile: build ## Run hostile Lua scripts under load, into docs/lua-sandbox.md (20 minutes, a quiet machine)
	@Benchmarks/hostile.py --markdown docs/lua-sandbox.md

filter-figures: build ## Measure the shipped filters, into docs/performance.md
	@Benchmarks/filter-figures.py --markdown docs/performance.md

scale: build ## Measure the control plane with 5,000 proxies, 1,000 services and 20,000 endpoints
	$(SWIFT) build $(RELEASE_FLAGS) --product MeshLoad
	@Benchmarks/scale.py

parity: deps ## Run Lua scripts on Envoy and on Weft, and compare
	$(SWIFT) build --product weft
	@Tests/EnvoyParity/parity.py

fuzz: deps ## Fuzz the HTTP codecs and the reader of bundles for FUZZ_SECONDS (600) each
	@Tests/Fuzz/run $(FUZZ_SECONDS)
	@Tests/Fuzz/run-http2 $(FUZZ_SECONDS)
	@Tests/Fuzz/run-proxy-protocol $(FUZZ_SECONDS)
	@Tests/Fuzz/run-bundles $(FUZZ_SECONDS)

asan: deps ## Run the end-to-end tests against a binary under AddressSanitizer
	@scripts/sanitized.sh address

tsan: deps ## Run the end-to-end tests against a binary under ThreadSanitizer
	@scripts/sanitized.sh thread

format: ## Format the sources
	$(SWIFT) format -i -r --parallel Package.swift Sources Tests examples

lint: ## Check the format, as CI does
	$(SWIFT) format lint -r --strict --parallel Package.swift Sources Tests examples

install: build ## Install the binaries and the shipped filters below PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/weft
	install -m 755 .build/release/weft .build/release/weft-mesh $(DESTDIR)$(PREFIX)/bin/
	cp -R filters $(DESTDIR)$(PREFIX)/share/weft/

clean: demo-stop ## Remove what was built
	rm -rf .build .build-*
