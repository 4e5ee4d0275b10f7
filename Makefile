# Thin: each target is one line that a user could type. The options live in CMakePresets.json.
PRESET ?= release
DIR ?= /usr/include
checked = scheduler|runtime|combinators|examples|benchmarks|tests/(scheduler|runtime|combinators|stress)
sources = find scheduler runtime combinators tests examples benchmarks -name '*.[ch]pp'

.DEFAULT_GOAL := help
.PHONY: help deps build demo tour test stress bench tsan asan tidy format format-check install-check

help:           ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

deps:           ## install the packages that are missing (Debian 12)
	@cmake/deps.sh

build: deps     ## build everything; PRESET=dev release gcc asan tsan ubsan coverage
	@test build/$(PRESET)/build.ninja -nt CMakePresets.json || cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET)

demo: deps      ## hash DIR=/usr/include with examples/treesum, check it against sha256sum
	@test build/release/build.ninja -nt CMakePresets.json || cmake --preset release
	@cmake --build --preset release --target treesum
	@DIR="$(DIR)" examples/treesum/demo.sh build/release/examples/treesum/treesum

tour: deps      ## asyncio's patterns in magpie, one after the other; ARGS=--real takes its time
	@test build/release/build.ninja -nt CMakePresets.json || cmake --preset release
	@cmake --build --preset release --target tour
	@build/release/examples/tour/tour $(ARGS)

test: build     ## build and run all tests; PRESET= as above
	@ctest --preset $(PRESET) || { tests/failures.py build/$(PRESET); exit 1; }

stress: build   ## the stress tests at full size, some minutes; PRESET= as above
	@MAGPIE_STRESS_SCALE=1 ctest --preset $(PRESET) --label-regex '^stress$$' --timeout 7200

bench:          ## build the benchmarks and the rivals, run all (hours), write benchmarks/results/
	@cmake/deps.sh bench
	@cmake --preset bench
	@cmake --build --preset bench
	@benchmarks/run.py
	@benchmarks/plot.py

tsan:           ## all tests under ThreadSanitizer
	@$(MAKE) test PRESET=tsan

asan:           ## all tests under AddressSanitizer
	@$(MAKE) test PRESET=asan

tidy: build     ## clang-tidy over everything that is compiled
	@run-clang-tidy-19 -quiet -p build/$(PRESET) '^$(CURDIR)/($(checked))/'

format:         ## clang-format every source
	@$(sources) | xargs clang-format-19 -i

format-check:   ## say what clang-format would change
	@$(sources) | xargs clang-format-19 --dry-run --Werror

install-check: build ## install, then build and run a project of each kind against it
	@ctest --preset $(PRESET) --label-regex install
