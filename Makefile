# KV-cache memory device: testbench, golden model, RTL.
# Needs Python 3.11+ with venv, a C++ compiler, make and perl; everything else goes into .venv from hashed locks.
#
# Variables count from the command line only: a TEST, SEED or DEBUG in the shell's environment changes nothing.
# What each target runs is listed in tb/make.py.

# SHELL=1 is a variable of `make kernel`; for make itself it is the shell of the recipes.
GIVEN_SHELL := $(value SHELL)
SHELL_IS_GIVEN := $(filter command,$(firstword $(origin SHELL)))
override SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

KNOWN := PYTHON VERILATOR CXX TEST SEED SEEDS DEBUG TRACE REQUESTS BLOCK_SIZE TIME_UNIT ENTRIES LANES PORTS BACKEND SOCKET FREE_RUN PROMPT ARGS LEVEL COVERAGE WORKERS SCHEDULER ONLY COUNT ROWS EVENTS PLANTED CONFIG ASSERTIONS A B MODEL QUICK STAGE SLOTS POLICY SHELL DRIVER KASAN
is_given = $(filter command,$(firstword $(origin $(1))))
UNKNOWN := $(filter-out $(KNOWN),$(foreach v,$(.VARIABLES),$(if $(call is_given,$(v)),$(v))))
$(if $(UNKNOWN),$(error unknown variable $(firstword $(UNKNOWN)): `make help` lists those that count))

# Every value travels as it was typed, in the environment: $(value X) is the text of X, which nothing expands, and no
# recipe has a value in it. By itself make would export X expanded, that is, after running a $(shell ...) in it.
unexport $(KNOWN)
$(foreach v,$(KNOWN),$(eval $(if $(call is_given,$v),export KVCPU_MAKE_$v = $$(value $v),unexport KVCPU_MAKE_$v)))
$(if $(SHELL_IS_GIVEN),$(eval export KVCPU_MAKE_SHELL = $$(value GIVEN_SHELL)),$(eval unexport KVCPU_MAKE_SHELL))
export KVCPU_MAKE_GOALS = $(MAKECMDGOALS)

# What would change how Python, the simulator's build or a compiler works.
unexport $(filter PYTHON%,$(.VARIABLES)) VERILATOR_ROOT MAKEFLAGS GNUMAKEFLAGS MFLAGS MAKEOVERRIDES CXXFLAGS CFLAGS CPPFLAGS LDFLAGS

PY := .venv/bin/python
SETUP := p="$${KVCPU_MAKE_PYTHON-python3}"; command -v -- "$$p" > /dev/null || { printf 'error: PYTHON=%s: no such program\n' "$$p" >&2; exit 2; }; "$$p" tb/run/setup_env.py

.PHONY: help setup setup-fpga setup-docs setup-formal setup-lab setup-cluster setup-signoff setup-llama setup-vllm sim experiments rt-bench vllm-check serve kernel llm-quick test pytest lint regs regress bench waves defects mutate fpga-check formal signoff docs exports results compare package list doctor lock clean

help: ## this list
	@awk 'BEGIN { FS = ":[^#]*## " } /^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 } /^##   / { sub(/^##   /, ""); printf "%17s%s\n", "", $$0 }' $(MAKEFILE_LIST)

setup: ## install the pinned tools into .venv (every other target does it by itself)
##   PYTHON=<python3.11 or newer>
	@$(SETUP)

setup-fpga: ## the same, and the FPGA tools
	@$(SETUP) --fpga

setup-docs: ## the same, and the tools of `make docs` and `make exports`
	@$(SETUP) --docs

setup-lab: ## the same, and what `make experiments` and `make rt-bench` need
	@$(SETUP) --lab

setup-formal: ## the same, and the tools of `make formal`
	@$(SETUP) --formal

setup-cluster: ## the same, and what `make regress SCHEDULER=...` and its workers need (docs/regression.md)
	@$(SETUP) --cluster

setup-signoff: ## the same, and the tools of `make signoff` (those of `make formal` included)
	@$(SETUP) --formal --cover

setup-llama: ## the same, and llama.cpp in .venv-llama: compiled once
	@$(SETUP) --lab --llama

setup-vllm: ## the same, and vLLM in .venv-vllm
	@$(SETUP) --vllm

sim: setup ## replay a KV-cache trace on the RTL, then serve prompts by the micro-LLM on it, all checked; or run one test
##   TRACE=<file>    replay only: a block-hash trace, JSON lines, also gzip-compressed (default: a seeded generator)
##   BLOCK_SIZE=<n> TIME_UNIT=ms|s   of the trace: tokens behind a hash id, where it does not say (512); its times (ms)
##   REQUESTS=<n>    replay only: the first n requests
##   CONFIG=<file>   one point of an experiment, held against the policy level (docs/laboratory.md)
##   SLOTS=<n> POLICY=<layer>   such a point with so many slots of the fast tier, with this layer of HEPC
##   PROMPT="..."    serve this prompt only
##   SEED=<n>        seed of the run (default 1)
##   ENTRIES=<n> LANES=4|8|16 PORTS=<n>   another size than the full one (65,536, 16, 3)
##   BACKEND=model   on the device model instead of the RTL
##   TEST=<test>     run this test instead: <test> or <leg>.<test> (see `make list`), <leg> for all tests of a leg,
##                   a pattern over <leg>.<test> such as 'top_moves.*', or failed: what failed last, with its seeds
##   SEEDS=<n>       with TEST: n seeds from SEED on
##   DEBUG=1         with TEST: every signal of the hierarchy visible to Python
##   EVENTS=1        leave the event log (events.sqlite) next to sim.log: `python -m tb.eventlog`, docs/debugging.md
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

serve: setup ## keep a simulation of the RTL open for kvctl, the shell and C programs, until Ctrl-C
##   SOCKET=<path>   of the socket (default: the user's runtime folder)
##   FREE_RUN=1      time passes also while no command needs it
##   ENTRIES=<n> LANES=4|8|16 PORTS=<n> SEED=<n>   as for sim
##   BACKEND=model   the device model instead of the RTL
##   EVENTS=1        leave the event log (events.sqlite) next to sim.log: `python -m tb.eventlog`, docs/debugging.md
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

kernel: setup ## boot Linux, with the real driver, on the device, and run the tests of the guest (docs/linux.md)
##   BACKEND=model   on the device model instead of the RTL
##   TEST=<pattern>  a suite, or a pattern over <suite>.<test>; list: their names
##   SEED=<n>        seed of the run on the RTL (default 1)
##   SHELL=1         a shell in the guest instead, until exit or Ctrl-D
##   KASAN=1         with a kernel that looks for accesses outside objects and after their end
	@$(PY) -m tb.make $@

llm-quick: setup ## one prompt by control frames on the device model, with the stub; metrics and audit checked
##   PROMPT="..."    another prompt
	@$(PY) -m tb.make $@

test: setup ## everything a change must pass: Python tests, lint, generated files, quick legs
##   ONLY=<part>     "generated files", manifest, lint, pytest, legs, fpga or cluster: the tests that need `make setup-fpga`, `make setup-cluster`
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

pytest: setup ## Python tests only
##   ARGS=<pytest arguments>
	@$(PY) -m tb.make $@

lint: setup ## Verilator -Wall, slang, ruff, mypy
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

regs: setup ## regenerate RTL, Python, C and docs from the descriptions of registers, kernel interface, events, and the index of sentences
	@$(PY) -m tb.make $@

regress: $(if $(call is_given,SCHEDULER),setup-cluster,setup) ## all legs with all their seeds over the local cores, reports in sim_build/report
##   SEEDS=<n>       seeds of each test (default: the manifest's)
##   LEVEL=block|top|system
##   COVERAGE=1      collect code coverage
##   WORKERS=<n>     tests at the same time (default: the cores)
##   SCHEDULER=<address>   over the workers of this Dask scheduler instead, such as tcp://host:8786 (docs/regression.md)
##   EVENTS=1        leave the event log (events.sqlite) next to sim.log: `python -m tb.eventlog`, docs/debugging.md
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

bench: setup ## measure every figure of docs/figures.md against its target (half an hour, on an idle machine)
##   ROWS=<names>    these only (with commas between), without the plots
##   DEBUG=1         with every signal of the hierarchy visible to Python: what that costs
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

fpga-check: setup-fpga ## would this RTL make a good bitstream: lint, synthesis, budgets, timing, bitstream, netlist (docs/fpga.md)
##   ONLY=<parts>    of lint, u250, ecp5, place, netlist (with commas between)
	@$(PY) -m tb.make $@

formal: setup-formal ## prove properties of the RTL: FIFOs, arbiters, slots, AXI, registers, scoring (docs/formal.md)
##   ONLY=<names>    proofs, groups or stages (V1, V2) of `python -m tb.formal --list` (with commas between)
##   PLANTED=1       also plant each proof's defects in a copy and see its properties fail
	@$(PY) -m tb.make $@

signoff: setup-signoff ## which stage of the sign-off the device has reached, and what is missing for the next (docs/signoff.md)
##   STAGE=V1|V2|V3  run what is missing up to this stage, fail below it (default: run what V1 needs)
	@$(PY) -m tb.make $@

docs: setup-docs ## the documentation as a site in sim_build/site, with search, without network
	@$(PY) -m tb.make $@

exports: setup-docs ## the registers as IP-XACT, UVM, pyuvm and HTML in sim_build/exports
	@mkdir -p sim_build/exports
	@$(PY) -m tb.make $@

experiments: setup-lab ## judge the device's policy on traces: classic policies, the optimum, HEPC (docs/laboratory.md)
##   ONLY=<names>    these experiments only (with commas between): eviction, serving, bounded
##   TRACE=<file>    a trace of any known form (default: seeded generators)
##   BLOCK_SIZE=<n> TIME_UNIT=ms|s   of the trace, as for sim
##   CONFIG=<file>   a TOML file with the settings to change
##   SLOTS=<n>[,...] POLICY=<names>   slots of the fast tier; layers of HEPC, for serving also none, lru
	@$(PY) -m tb.make $@

rt-bench: setup-lab ## per-token times of llama.cpp: sampling, threads, load, memory; the host prepared and restored (docs/real-engine.md)
##   MODEL=<file>    a GGUF file (default: models of random weights, made here)
##   QUICK=1         fewer repetitions and tokens
##   SEED=<n>        of prompts, sampling, random weights, intervals (default 1)
	@$(PY) -m tb.make $@

vllm-check: setup ## the adapter inside the real vLLM, on the device model: same tokens, stores, loads, abort, preemption
##   SEED=<n>        of the model and the prompts (default 1)
	@$(PY) -m tb.make $@

results: setup ## every run that is kept, with its main figures; renews sim_build/report/index.html (docs/results.md)
	@$(PY) -m tb.make $@

compare: setup ## what differs in two runs: settings, sources, machine, figures with intervals
##   A=<run> B=<run>   names as `make results` lists them, or last, last-1, regress-last-1
	@$(PY) -m tb.make $@

package: setup ## configurations, seeds, raw data, reports in sim_build/package; python3 reproduce.py in it makes the report again
	@$(PY) -m tb.make $@

waves: setup ## run one test with waves from time 0
##   TEST=<test> SEED=<n>
##   EVENTS=1        leave the event log (events.sqlite) next to sim.log: `python -m tb.eventlog`, docs/debugging.md
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.make $@

defects: setup ## plant each known defect in a copy and see that its test detects it (a build each: long)
##   ONLY=<ids>      these only
##   ASSERTIONS=1    make each assertion of the RTL fire instead; ONLY=<module>.<assertion>
##   DRIVER=1        plant those of the Linux driver instead, on the device model (docs/linux.md)
	@$(PY) -m tb.make $@

mutate: setup ## mutate the RTL by the hundred and see the quick legs notice (an hour or more)
##   ONLY=<folders>  of rtl/rtbd, rtl/hepc, rtl/cmd, rtl/csr, rtl/dma, rtl/prim, rtl
##   COUNT=<n>       mutants of each folder (default 100)
##   SEED=<n>        which ones are drawn (default 1)
	@$(PY) -m tb.make $@

list: setup ## all legs and tests
	@$(PY) -m tb.make $@

doctor: setup ## what this machine has, and what is missing
	@$(PY) -m tb.make $@

lock: setup ## renew requirements/*.txt from *.in (needs the network)
	@$(PY) -m tb.make $@

clean: ## remove what was built (.venv stays)
	@rm -rf sim_build
