# Lakeside's commands; `make` lists them. Needs only Python 3.11 to 3.13 and make.

VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py

# What is installed is stamped by the lock file's checksum: an unchanged file installs nothing.
RUNTIME := $(VENV)/.runtime-$(firstword $(shell cksum < requirements.txt))
DEVELOPMENT := $(VENV)/.development-$(firstword $(shell cksum < requirements-dev.txt))
PEERS := .venv-bench/.peers-$(firstword $(shell cksum < requirements-bench.txt))
SPARK := .venv-spark/.spark-$(firstword $(shell cat requirements-spark.txt tests/spark/jars.sha256 | cksum))
TRINO := .venv-trino/server-476
INFRA := .venv-infra/.infra-$(firstword $(shell cksum < requirements-infra.txt))
# Trino needs Java 24 or newer, Spark 3.5 needs Java 8 to 17: each command takes the one it is given.
TRINO_JAVA ?= $(or $(lastword $(wildcard /usr/lib/jvm/*-25-*/bin/java)),java)
MAVEN_COPY := mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input --require-hashes

SHA256 := $(shell command -v sha256sum || echo shasum -a 256)
LOCKS := requirements.sha256
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-strip-extras

# Settings that commands read which need no server and no `.env`: production's, with a key that signs nothing.
CHECKED := LAKEHOUSE_SUPERVISED=true LAKEHOUSE_ENV=production DJANGO_ALLOWED_HOSTS=lakeside.example \
	DJANGO_SECRET_KEY=checks-only-$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')

PORT ?=
KILLS ?=
SEED ?=
SCALE ?=
PYTHON ?=
ARGS ?=

.PHONY: help
help: ## list these commands
	@printf 'Lakeside. Two commands to begin with: make demo, make test.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(DEVELOPMENT) ## create .venv with everything that development needs (PYTHON=python3.12 chooses one)

.PHONY: demo
demo: $(RUNTIME) ## start everything with sample data and print where to look (PORT=8123, SCALE=small)
	@exec $(MANAGE) demo $(if $(PORT),--port $(PORT)) $(if $(SCALE),--scale $(SCALE))

.PHONY: up
up: $(RUNTIME) ## start everything without sample data (PORT=8123)
	@exec $(MANAGE) up $(if $(PORT),--port $(PORT))

.PHONY: down
down: $(RUNTIME) ## stop what demo or up runs in another terminal
	@exec $(MANAGE) down

.PHONY: shell
shell: $(RUNTIME) ## open a Python shell with the models loaded
	@exec $(MANAGE) shell

.PHONY: test
test: $(DEVELOPMENT) ## run the test suite on servers of its own (ARGS='-k name -x')
	$(BIN)/python -m pytest $(ARGS)

.PHONY: rehearse-aws
rehearse-aws: $(DEVELOPMENT) ## run the pipeline once with AWS's adapters, over emulators on this machine
	$(BIN)/python -m pytest -rA tests/rehearsal/rehearse_aws.py $(ARGS)

.PHONY: delivery
delivery: $(DEVELOPMENT) ## prove one effect under 1,000 deliveries, pauses, kills and a lost broker; takes minutes
	LAKESIDE_DELIVERY=thorough $(BIN)/python -m pytest tests/delivery $(ARGS)

.PHONY: chaos
chaos: $(DEVELOPMENT) ## kill replicator, follower and PostgreSQL under load, and count what arrives (KILLS=500, SEED=7)
	$(BIN)/python -m tests.fault --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED))

.PHONY: mutants
mutants: $(DEVELOPMENT) ## plant bugs in a copy, one at a time, and have the tests find each; takes minutes
	$(BIN)/python -m tests.fault.mutants $(ARGS)

.PHONY: test-spark
test-spark: $(DEVELOPMENT) $(SPARK) ## compare Spark with DuckDB row by row, and write docs/parity.md (needs Java 17 and mvn)
	$(BIN)/python -m tests.spark --write $(if $(SCALE),--scale $(SCALE))

.PHONY: test-trino
test-trino: $(DEVELOPMENT) $(TRINO) ## compare Trino with DuckDB row by row, and write docs/parity.md (needs Java 24 and mvn)
	$(BIN)/python -m tests.trino --write --java $(TRINO_JAVA) $(if $(SCALE),--scale $(SCALE))

.PHONY: check
check: $(DEVELOPMENT) ## verify formatting, lint, types, layers, migrations, lock files, deployment settings
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	@$(SHA256) --check --quiet $(LOCKS) || { echo 'The lock files do not match requirements*.in: run make lock.'; exit 1; }
	$(CHECKED) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(CHECKED) $(MANAGE) check --deploy --fail-level WARNING
	@if command -v terraform >/dev/null; then $(MAKE) --no-print-directory check-infra; fi

.PHONY: check-infra
check-infra: $(INFRA) ## verify infra/terraform: format, names and types, plans with mocked values, policies
	infra/check .venv-infra/bin/python

.PHONY: glue-package
glue-package: $(DEVELOPMENT) ## make what the Glue job installs: var/glue/lakeside.gluewheels.zip
	$(BIN)/python infra/glue_package.py

.PHONY: fix
fix: $(DEVELOPMENT) ## format, and correct what the linter can correct
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

.PHONY: migrations
migrations: $(DEVELOPMENT) ## write migrations for changed models
	$(CHECKED) $(MANAGE) makemigrations

.PHONY: bench
bench: $(DEVELOPMENT) $(PEERS) ## measure against the peers; results as JSON in var/bench (ARGS=name runs one)
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-scale
bench-scale: $(DEVELOPMENT) ## measure source to gold at factors 1, 3 and 10 (FACTORS=1,3,10,30 for 16 million rows)
	$(BIN)/python -m tests.bench.scale --measured-on $$(date -u +%F) $(if $(FACTORS),--factors $(FACTORS))
	$(BIN)/python -c 'from tests.bench import __main__ as bench; bench.performance.write((*bench.BENCHMARKS, *bench.BY_NAME))'

.PHONY: lock
lock: $(DEVELOPMENT) ## compile requirements*.txt anew from requirements*.in
	$(UV_COMPILE) requirements.in -o requirements.txt
	$(UV_COMPILE) requirements-dev.in -o requirements-dev.txt
	$(UV_COMPILE) requirements-bench.in -o requirements-bench.txt
	$(UV_COMPILE) requirements-spark.in -o requirements-spark.txt
	$(UV_COMPILE) requirements-infra.in -o requirements-infra.txt
	$(SHA256) requirements*.in requirements*.txt > $(LOCKS)

.PHONY: clean
clean: ## remove .venv and caches; ask before removing var, which holds your data
	rm -rf $(VENV) .venv-bench .venv-spark .venv-infra .venv-trino staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d var ] && [ -t 0 ]; then \
		printf 'Remove var too, with the databases and the lake in it? [y/N] '; read answer; \
		if [ "$$answer" = y ]; then rm -rf var; fi; \
	elif [ -d var ]; then echo 'var is left as it is.'; fi

$(BIN)/python:
	@.ci/make-environment $(VENV) $(PYTHON)

.venv-bench/bin/python:
	@.ci/make-environment .venv-bench $(PYTHON)

$(RUNTIME): $(BIN)/python
	@echo 'Installing what Lakeside runs on ...'
	@$(BIN)/python $(PIP_INSTALL) -r requirements.txt
	@rm -f $(VENV)/.runtime-*; touch $@

$(DEVELOPMENT): $(BIN)/python
	@echo 'Installing what development needs ...'
	@$(BIN)/python $(PIP_INSTALL) -r requirements-dev.txt
	@rm -f $(VENV)/.development-* $(VENV)/.runtime-*; touch $@ $(RUNTIME)

$(PEERS): .venv-bench/bin/python
	@echo 'Installing the peers ...'
	@.venv-bench/bin/python $(PIP_INSTALL) -r requirements-bench.txt
	@rm -f .venv-bench/.peers-*; touch $@

.venv-spark/bin/python:
	@.ci/make-environment .venv-spark $(PYTHON)

$(SPARK): .venv-spark/bin/python
	@echo 'Installing Spark ...'
	@.venv-spark/bin/python $(PIP_INSTALL) -r requirements-spark.txt
	@rm -rf .venv-spark/jars; mkdir .venv-spark/jars
	@$(MAVEN_COPY) -Dartifact=org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.0 -DoutputDirectory=.venv-spark/jars
	@$(MAVEN_COPY) -Dartifact=org.postgresql:postgresql:42.7.11 -DoutputDirectory=.venv-spark/jars
	@cd .venv-spark/jars && $(SHA256) --check --quiet ../../tests/spark/jars.sha256
	@rm -f .venv-spark/.spark-*; touch $@

.venv-infra/bin/python:
	@.ci/make-environment .venv-infra $(PYTHON)

$(INFRA): .venv-infra/bin/python
	@echo 'Installing what checks infra/terraform ...'
	@.venv-infra/bin/python $(PIP_INSTALL) -r requirements-infra.txt
	@rm -f .venv-infra/.infra-*; touch $@

$(TRINO):
	@echo 'Fetching Trino, 800 MB ...'
	@mkdir -p .venv-trino
	@$(MAVEN_COPY) -Dartifact=io.trino:trino-server:476:tar.gz -DoutputDirectory=.venv-trino
	@cd .venv-trino && $(SHA256) --check --quiet ../tests/trino/server.sha256
	@cd .venv-trino && tar xzf trino-server-476.tar.gz && rm trino-server-476.tar.gz
	@mv .venv-trino/trino-server-476 $@
