# KV-cache memory device: testbench, golden model, RTL.
# Needs Python 3.11+ with venv, a C++ compiler, make and perl; everything else goes into .venv from hashed locks.
#
# Variables count from the command line only: a TEST, SEED or DEBUG in the shell's environment changes nothing.

SHELL := /bin/sh
PYTHON := python3
.DEFAULT_GOAL := help
.SUFFIXES:
unexport PYTHONPATH PYTHONHOME VERILATOR_ROOT MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL CXXFLAGS CFLAGS CPPFLAGS LDFLAGS

# The value as it was typed: a `$` in a prompt or a path is no reference to another variable.
given = $(if $(call is_given,$(1)),$(value $(1)))
is_given = $(filter command,$(firstword $(origin $(1))))
option = $(if $(call given,$(1)),$(2) '$(subst ','\'',$(call given,$(1)))')
flag = $(if $(filter-out 0,$(call given,$(1))),$(2))

KNOWN := PYTHON VERILATOR CXX TEST SEED SEEDS DEBUG TRACE REQUESTS ENTRIES LANES PORTS BACKEND SOCKET FREE_RUN PROMPT ARGS LEVEL COVERAGE WORKERS ONLY COUNT ROWS
UNKNOWN := $(filter-out $(KNOWN),$(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v))))
$(if $(UNKNOWN),$(error unknown variable $(firstword $(UNKNOWN)): `make help` lists those that count))

define newline


endef
$(if $(findstring $(newline),$(value PROMPT)),$(error PROMPT of more than one line))
$(if $(and $(call is_given,PROMPT),$(call is_given,TRACE)$(call is_given,REQUESTS)$(call is_given,TEST)),$(error PROMPT is served by itself: without TRACE, REQUESTS and TEST))

PY := .venv/bin/python
SIM_OPTIONS = $(call option,SEED,--seed) $(call option,ENTRIES,--entries) $(call option,LANES,--lanes) $(call option,PORTS,--ports) $(call option,BACKEND,--backend) $(call option,VERILATOR,--verilator) $(call option,CXX,--cxx)
RUN = $(PY) -m tb.run $(call option,VERILATOR,--verilator) $(call option,CXX,--cxx)

.PHONY: help setup setup-fpga sim serve llm-quick test pytest lint regs regress bench waves defects mutate fpga-check list doctor lock clean

help: ## this list
	@awk 'BEGIN { FS = ":[^#]*## " } /^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 } /^##   / { sub(/^##   /, ""); printf "%17s%s\n", "", $$0 }' $(MAKEFILE_LIST)

setup: ## install the pinned tools into .venv (every other target does it by itself)
##   PYTHON=<python3.11 or newer>
	@$(PYTHON) tb/run/setup_env.py

setup-fpga: ## the same, and the FPGA and formal tools
	@$(PYTHON) tb/run/setup_env.py --fpga

sim: setup ## replay a KV-cache trace on the RTL, then serve prompts by the micro-LLM on it, all checked; or run one test
##   TRACE=<file>    replay only: a Mooncake-format trace (default: a seeded generator)
##   REQUESTS=<n>    replay only: the first n requests
##   PROMPT="..."    serve this prompt only
##   SEED=<n>        seed of the run (default 1)
##   ENTRIES=<n> LANES=4|8|16 PORTS=<n>   another size than the full one (65,536, 16, 3)
##   BACKEND=model   on the device model instead of the RTL
##   TEST=<test>     run this test instead (<test> or <leg>.<test>, see `make list`)
##   SEEDS=<n>       with TEST: n seeds from SEED on
##   DEBUG=1         with TEST: every signal of the hierarchy visible to Python
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
ifneq ($(call given,TEST),)
	@$(RUN) run --waves failure --test '$(TEST)' $(call option,SEED,--seed) $(call option,SEEDS,--seeds) $(call flag,DEBUG,--debug)
else
ifeq ($(call is_given,PROMPT),)
	@$(PY) -m tb.replay $(call option,TRACE,--trace) $(call option,REQUESTS,--requests) $(SIM_OPTIONS)
endif
ifeq ($(call is_given,TRACE)$(call is_given,REQUESTS),)
	@$(PY) -m tb.llm $(if $(call is_given,PROMPT),--prompt '$(subst ','\'',$(call given,PROMPT))') $(SIM_OPTIONS)
endif
endif

serve: setup ## keep a simulation of the RTL open for kvctl, the shell and C programs, until Ctrl-C
##   SOCKET=<path>   of the socket (default: the user's runtime folder)
##   FREE_RUN=1      time passes also while no command needs it
##   ENTRIES=<n> LANES=4|8|16 PORTS=<n> SEED=<n>   as for sim
##   BACKEND=model   the device model instead of the RTL
	@$(PY) -m tb.serve $(call option,SOCKET,--socket) $(call flag,FREE_RUN,--free-run) $(SIM_OPTIONS)

llm-quick: setup ## one prompt by control frames on the device model, with the stub; metrics and audit checked
##   PROMPT="..."    another prompt
	@$(PY) -m sw.tools.quick $(call option,PROMPT,--prompt)

test: setup ## everything a change must pass: Python tests, lint, generated files, quick legs
##   ONLY=<part>     "generated files", manifest, lint, pytest, legs, or fpga: the tests that need `make setup-fpga`
	@$(RUN) check $(call option,ONLY,--only)

pytest: setup ## Python tests only
##   ARGS=<pytest arguments>
	@$(PY) -m pytest $(call given,ARGS)

lint: setup ## Verilator -Wall, slang, ruff, mypy
	@$(RUN) check --only lint

regs: setup ## regenerate RTL, Python, C and docs from the descriptions of registers and kernel interface
	@$(PY) -m sw.regs.generate
	@$(PY) -m sw.uapi generate

regress: setup ## all legs with all their seeds over the local cores, reports in sim_build/report
##   SEEDS=<n>       seeds of each test (default: the manifest's)
##   LEVEL=block|top|system
##   COVERAGE=1      collect code coverage
##   WORKERS=<n>     tests at the same time (default: the cores)
	@$(RUN) regress $(call option,SEEDS,--seeds) $(call option,LEVEL,--level) $(call flag,COVERAGE,--coverage) $(call option,WORKERS,--workers)

bench: setup ## measure every figure of docs/figures.md against its target (half an hour, on an idle machine)
##   ROWS=<names>    these only (with commas between), without the plots
##   DEBUG=1         with every signal of the hierarchy visible to Python: what that costs
##   VERILATOR=<program>, CXX=<compiler>   instead of the environment's own
	@$(PY) -m tb.figures $(call option,ROWS,--rows) $(call flag,DEBUG,--debug) $(call option,VERILATOR,--verilator) $(call option,CXX,--cxx)

fpga-check: setup-fpga ## would this RTL make a good bitstream: lint, synthesis, budgets, timing, bitstream, netlist (docs/fpga.md)
##   ONLY=<parts>    of lint, u250, ecp5, place, netlist (with commas between)
	@$(PY) -m fpga.flow $(call option,ONLY,--only)

waves: setup ## run one test with waves from time 0
##   TEST=<test> SEED=<n>
	@$(RUN) run --waves always --test '$(call given,TEST)' $(call option,SEED,--seed)

defects: setup ## plant each known defect in a copy and see its test turn red (an hour or two)
##   ONLY=<ids>      these only
	@$(PY) -m tb.defects $(call given,ONLY)

mutate: setup ## mutate the RTL by the hundred and see the quick legs notice (an hour or more)
##   ONLY=<folders>  of rtl/rtbd, rtl/hepc, rtl/cmd, rtl/csr, rtl/dma, rtl/prim, rtl
##   COUNT=<n>       mutants of each folder (default 100)
##   SEED=<n>        which ones are drawn (default 1)
	@$(PY) -m tb.mutation $(call given,ONLY) $(call option,COUNT,--count) $(call option,SEED,--seed)

list: setup ## all legs and tests
	@$(RUN) list

doctor: setup ## what this machine has and lacks
	@$(RUN) doctor

lock: setup ## renew requirements/*.txt from *.in (needs the network)
	@$(PY) -m tb.run.lock

clean: ## remove what was built (.venv stays)
	@rm -rf sim_build
