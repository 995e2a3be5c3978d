# Each target is one step; CI calls these and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL := build/model.onnx
# The model of the serving benchmarks: what a lift costs on top is for `make bench-lift` to say.
LINEAR := build/bench/linear.onnx
# Further options of the fit: make train FIT="--recipe chapter --seed 1"
FIT ?=
# onnxruntime sends telemetry unless told not to before it is imported.
export ORT_DISABLE_TELEMETRY := 1
# Tests start hundreds of processes. Without bytecode each of them compiles every module again.
unexport PYTHONDONTWRITEBYTECODE
# One thread per process: the workers fill the cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL := -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*\#\# .*/\1/p' Makefile)

##@ Start here

help: ## list the targets
	@awk '/^##@ / {printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5)} \
	    /^[a-z0-9-]+:.*## / {split($$0, part, /:.*## /); printf "  %-16s %s\n", part[1], part[2]}' Makefile

setup: $(VENV)/dev $(BIN)/demur ## make the virtual environment with everything that developing needs

data: $(BIN)/demur ## find Fashion-MNIST on this machine, or fetch it
	@$(BIN)/demur fetch

train: $(BIN)/demur ## train, prove and publish build/model.onnx
	$(BIN)/demur fit --out $(MODEL) --report-dir $(dir $(MODEL)) $(FIT)

serve: $(MODEL) $(BIN)/demur ## serve on http://127.0.0.1:8000; trains first if there is no model yet
	$(BIN)/demur serve $(MODEL)

format: setup ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what the other targets made
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache

##@ Check

test: setup data ## the quick tests: two minutes on two cores
	$(PYTEST) $(PARALLEL)

lint: setup ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: setup data ## line and branch coverage of the quick tests; fails under the floor in pyproject.toml
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest $(PARALLEL)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

test-processes: setup data ## the commands, and the service with its signals and workers, as real processes
	$(PYTEST) $(PARALLEL) -m process

test-guarantees: setup data ## the promises, held against thousands of calibration splits; takes minutes
	$(PYTEST) $(PARALLEL) -m guarantee

test-clients: setup build/clients/made ## stock clients of the standard protocols; ADDRESS= for a service elsewhere
	$(PYTEST) -m clients tests/clients tests/triton $(if $(ADDRESS),--address $(ADDRESS))

build/clients/made: requirements/clients.txt
	$(PYTHON) -m venv build/clients
	build/clients/bin/pip install --quiet -r requirements/clients.txt
	touch $@

test-hosts: setup data build/hosts/web/made build/hosts/oldest/made ## the same file in the oldest onnxruntime, and in onnxruntime-web in Node and Chromium
	$(PYTEST) $(PARALLEL) -m hosts -rP tests/hosts

build/hosts/web/made: tests/hosts/package.json tests/hosts/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

build/hosts/oldest/made: tests/hosts/oldest.txt
	$(PYTHON) -m venv build/hosts/oldest
	build/hosts/oldest/bin/pip install --quiet -r $<
	touch $@

test-browser: setup data ## the page at /, in a real browser; needs chromium
	$(PYTEST) $(PARALLEL) -m browser tests/browser

test-rules: setup ## the alert rules, by Prometheus itself; needs Debian's package prometheus
	@command -v promtool >/dev/null && command -v prometheus >/dev/null || { echo "make test-rules: no promtool and prometheus here, so nothing was tested"; exit 1; }
	$(PYTEST) -m rules tests/observability

test-proxy: setup ## the service behind nginx with TLS and limits for each client; needs nginx, openssl and curl
	@command -v nginx >/dev/null || { echo "make test-proxy: no nginx here, so nothing was tested"; exit 1; }
	$(PYTEST) -m proxy tests/nginx

test-contract: setup build/contract/made ## schemathesis on the API's description, minutes; CASES=1000 for thousands of each operation
	$(PYTEST) $(PARALLEL) -m contract -rP tests/contract $(if $(CASES),--cases $(CASES))

build/contract/made: requirements/contract.txt
	$(PYTHON) -m venv build/contract
	build/contract/bin/pip install --quiet -r $<
	touch $@

test-rolling: setup ## two services behind nginx, restarted in turn under load; needs nginx, takes minutes
	@command -v nginx >/dev/null || { echo "make test-rolling: no nginx here, so nothing was tested"; exit 1; }
	$(PYTEST) -m rolling -rP tests/nginx

test-slow: setup data ## the slow tests: accuracies over five seeds, hundreds of killed jobs, Ray
	$(PYTEST) $(PARALLEL) -m slow

soak: setup ## load, swaps, restarts, bad input and slow clients at once, behind nginx: 10 minutes; MINUTES= for longer
	@command -v nginx >/dev/null || { echo "make soak: no nginx here, so nothing was tested"; exit 1; }
	$(BIN)/python -m tests.soak chaos --minutes $(or $(MINUTES),10)

soak-memory: setup ## a million requests by every form: memory, descriptors and threads must not grow; REQUESTS= for fewer
	$(BIN)/python -m tests.soak steady --requests $(or $(REQUESTS),1000000)

fuzz: setup build/fuzz/made ## a million inputs, guided by coverage, for each reader of a client's bytes; RUNS= for fewer
	for target in $$($(BIN)/python -m tests.fuzz.targets); do \
	    PYTHONPATH=build/fuzz/site $(BIN)/python -m tests.fuzz $$target build/fuzz/$$target -runs=$(or $(RUNS),1000000) || exit 1; \
	done

build/fuzz/made: requirements/fuzz.txt
	$(BIN)/pip install --quiet --no-deps --target build/fuzz/site --upgrade -r $<
	touch $@

e2e: setup data build/clients/made ## the whole path in real containers; needs a Docker engine
	@docker info >/dev/null 2>&1 || { echo "make e2e: no Docker engine answers here, so nothing was tested"; exit 1; }
	$(PYTEST) -m e2e

nightly: CASES = 1000
nightly: coverage test-slow test-rolling test-contract fuzz soak soak-memory ## the long tests; takes hours; with -k it goes on after a failure

##@ Measure

accuracy: $(VENV)/train data ## the accuracies of docs/training.md: each recipe over five seeds
	$(BIN)/python -m benchmarks.accuracy

recipe: $(VENV)/train data ## the tuned recipe beside its neighbours, on the tune split; takes minutes
	$(BIN)/python -m benchmarks.recipe

abstention: setup $(MODEL) ## our rule for the threshold beside SGR, MAPIE and two that promise nothing; takes minutes
	$(BIN)/python -m benchmarks.abstention $(MODEL)

shift: setup $(MODEL) ## how the promises break where calibration is from another population; takes minutes
	$(BIN)/python -m benchmarks.shift $(MODEL)

chapter: setup data ## docs/chapter: every exercise of the chapter, measured anew; takes minutes
	$(BIN)/python -m exercises all --out docs/chapter

$(LINEAR): $(BIN)/demur
	$(BIN)/demur fit --recipe tuned --out $@

bench: setup $(LINEAR) ## every target of serving, asked and measured: ours, the limit, plain FastAPI; needs wrk, takes minutes
	$(BIN)/python -m benchmarks.serving $(LINEAR) throughput latency workers footprint bulk packages

bench-gate: setup $(LINEAR) ## fails where one JSON image gets under 0.30 of the limit, or an overload too few answers, three times; a minute, needs wrk
	$(BIN)/python -m benchmarks.serving $(LINEAR) gate
	$(BIN)/python -m benchmarks.serving.overload $(LINEAR)

bench-peers: setup $(LINEAR) ## ours beside KServe, MLServer, BentoML, LitServe and Ray Serve, installed under build/peers; a quarter of an hour
	$(BIN)/python -m benchmarks.serving $(LINEAR) peers

bench-overload: setup $(LINEAR) ## open and closed loops beyond the highest load, and stalls: what is answered, how late, what is lost; needs wrk, minutes
	$(BIN)/python -m benchmarks.serving $(LINEAR) overload

bench-choices: setup $(LINEAR) ## the figures of docs/evidence/serving.md: precision, kinds of route, many models, metrics; needs wrk
	$(BIN)/python -m benchmarks.precision $(LINEAR)
	$(BIN)/python -m benchmarks.routes $(LINEAR)
	$(BIN)/python -m benchmarks.many_models
	$(BIN)/python -m benchmarks.scrape $(LINEAR)
	$(BIN)/python -m benchmarks.reload $(LINEAR)

bench-lift: setup data ## what a quadratic lift costs the graph and a request, beside a linear model; needs wrk, minutes
	$(BIN)/python -m benchmarks.lift

bench-data: setup data ## embeddings in a file: an epoch, growth with the rows, memory; decoding 100,000 PNGs
	$(BIN)/python -m benchmarks.streaming
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.decoding

bench-score: setup ## 10,000,000 rows from Parquet, beside onnxruntime alone; 20 GB of disk, minutes; ROWS= for fewer
	$(BIN)/python -m benchmarks.scoring $(ROWS)

bench-fit: setup data ## an epoch beside its two products and a DataLoader; the job beside its epochs and scikit-learn
	$(BIN)/python -m benchmarks.training.epoch
	$(BIN)/python -m benchmarks.training.job

bench-models: setup data build/bench-models/made ## our models beside scikit-learn's with the best C, and promises on Fashion-MNIST; an hour; SEEDS= and RECIPE=
	$(BIN)/python -m benchmarks.models --json build/bench-models/models.json $(if $(RECIPE),--recipe $(RECIPE)) $(if $(SEEDS),--seeds $(SEEDS))
	$(BIN)/python -m benchmarks.models.promises --json build/bench-models/promises.json $(if $(RECIPE),--recipe $(RECIPE)) $(if $(SEEDS),--seeds $(SEEDS))

build/bench-models/made: requirements/bench-models.txt
	$(BIN)/pip install --quiet --no-deps --require-hashes --upgrade --target $(@D)/site -r $<
	touch $@

bench-gpu: setup data ## an epoch on a GPU, launched and recorded, beside the processor's; fit and sweep on either; needs CUDA
	$(BIN)/python -m benchmarks.training.gpu

bench-growth: setup ## time and memory of fit and answer against images, features and classes; 4 GB, minutes
	$(BIN)/python -m benchmarks.training.growth

bench-sweep: setup data ## an epoch of 32 learning rates fitted together, beside an epoch of one fit
	$(BIN)/python -m benchmarks.sweep

##@ Release

openapi: setup $(MODEL) ## docs/openapi.json, written anew
	PYTHONPATH=. $(BIN)/python docs/openapi.py $(MODEL) > $(dir $(MODEL))openapi.json
	mv $(dir $(MODEL))openapi.json docs/openapi.json

page-pictures: setup $(MODEL) ## docs/pictures/page-*.png, taken anew; needs chromium
	$(BIN)/python -m tests.browser.pictures $(MODEL) docs/pictures

sbom: setup build/sbom/made ## build/demur-serve.cdx.json: what the serving image installs, as CycloneDX
	rm -rf build/sbom/serving
	$(PYTHON) -m venv --without-pip build/sbom/serving
	build/sbom/bin/pip --python build/sbom/serving/bin/python install --quiet --require-hashes --requirement requirements/serve.txt
	build/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --sv 1.6 --output-reproducible --validate \
	    --output-file build/demur-serve.cdx.json build/sbom/serving/bin/python
	$(PYTEST) -m sbom tests/supply

build/sbom/made: requirements/sbom.txt
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/pip install --quiet -r $<
	touch $@

audit: setup build/audit/made ## known vulnerabilities of what the serving image installs; needs an advisory service in reach
	$(BIN)/python -m tests.supply.audit build/audit/bin/pip-audit

build/audit/made: requirements/audit.txt
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet -r $<
	touch $@

lock: setup ## pin the newest versions that pyproject.toml allows
	$(BIN)/python requirements/lock.py

$(MODEL): | $(BIN)/demur
	$(MAKE) train

$(VENV)/train: requirements/train.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement $<
	@touch $@

# By the setuptools that torch brings: nothing is fetched.
$(BIN)/demur: pyproject.toml $(VENV)/train
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/train
	$(BIN)/pip install --quiet --requirement $<
	@touch $@
