# Each target sets up all it needs in .venv first: Python 3.11 or later, with venv, is enough.
.POSIX:
.DEFAULT_GOAL := help
.PHONY: help setup demo lint test test-system test-ui screenshots test-matrix airflow live test-all bench docs linkcheck diagrams release-check clean

help:
	@echo "make demo      run the example DAG on a real Airflow against a sandbox of emnify (a minute)"
	@echo "make test      style, types and tests on Airflow 3.3"
	@echo "make test-system  the tests that start Airflow's own processes: some minutes"
	@echo "make test-ui   Airflow's pages and the sandbox's in Chromium: three minutes"
	@echo "make screenshots  the same, and the pictures of README and docs are taken anew"
	@echo "make test-matrix  the provider on eight releases of Airflow, each with the packages of its day: 20 minutes"
	@echo "make airflow   Airflow's web UI with the example DAGs and the sandbox; Ctrl-C ends it"
	@echo "make live      the read-only example DAG on your own fleet (EMNIFY_APPLICATION_TOKEN)"
	@echo "make test-all  the tests on Airflow 2.11 and 3.3, with every Python found"
	@echo "make bench     the benchmarks, with their results in benchmarks/results"
	@echo "make docs      build the documentation site, its reference pages from the code"
	@echo "make linkcheck  ask the servers that the docs link to whether the pages are still there"
	@echo "make diagrams  draw the diagrams of the docs anew from docs/diagrams/*.dot (needs Graphviz)"
	@echo "make release-check  all that has to hold before a release: build, contents, clean installs, demo, docs, licences"
	@echo "make clean     remove .venv and everything else that these have made"

setup:
	@sh dev/setup.sh

demo: setup
	@.venv/bin/python dev/demo.py

lint: setup
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/python -m dev.api_facts --check

test: lint
	.venv/bin/pytest -n 2 -m "not system"

test-system: setup
	.venv/bin/pytest -m system tests/system

test-ui: setup
	@sh dev/chromium.sh
	.venv/bin/pytest -m ui tests/ui

screenshots: setup
	@sh dev/chromium.sh
	.venv/bin/pytest -m ui tests/ui --screenshots

test-matrix: setup
	.venv/bin/nox --tags matrix

bench: setup
	.venv/bin/python benchmarks/imports.py
	.venv/bin/python benchmarks/calls.py
	.venv/bin/python benchmarks/waits.py
	.venv/bin/python benchmarks/sync.py
	.venv/bin/python benchmarks/rows.py
	.venv/bin/python benchmarks/fleet.py

airflow: setup
	@.venv/bin/python dev/airflow_ui.py

live: setup
	@.venv/bin/python dev/live.py

test-all: setup
	.venv/bin/nox

docs: setup
	@.venv/bin/python -m dev.docs
	@.venv/bin/python -m dev.public_api
	AIRFLOW_HOME=$(CURDIR)/docs/_build/airflow .venv/bin/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

linkcheck: setup
	AIRFLOW_HOME=$(CURDIR)/docs/_build/airflow .venv/bin/sphinx-build --quiet -b linkcheck docs docs/_build/linkcheck

diagrams: setup
	@.venv/bin/python -m dev.diagrams

release-check: setup
	@.venv/bin/python -m dev.release_check $(VERSION)

clean:
	rm -rf .venv .nox .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
