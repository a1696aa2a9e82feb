# warploom: `make help` lists the targets. Everything that is built lies in build/.
# Any list below may be given on the command line: make test TESTS=tests/test_npy.c EMU= RUNTIME=
BUILD    := build
ARCH     ?= native
OPT      ?= -O2
WARN     := -Wall -Wextra -Wshadow -Wno-psabi -Wno-missing-field-initializers
FLAGS     = -std=gnu11 $(OPT) -g $(WARN) -ffp-contract=off -fPIC -fno-semantic-interposition -pthread -I. $(LUA_CFLAGS)
LIBS      = $(LUA_LIBS) -lxxhash -lm -ldl -pthread

CLI      := $(wildcard gen/cli*.c)
GEN      := $(filter-out $(CLI),$(wildcard gen/*.c))
RUNTIME  := $(wildcard runtime/*.c)
EMU      := $(wildcard runtime/emu/*.c)
EMU_GEN  := $(wildcard gen/arena.c gen/error.c)
EMU_MAP  := $(wildcard runtime/emu/exports.map)
TESTS    := $(wildcard tests/test_*.c)
FUZZERS  := $(wildcard tests/fuzz_*.c)
PROGRAMS := $(wildcard tests/grid.c tests/bench_runtime.c tests/bench_emu.c tests/mutate.c tests/exp2_table.c)
HELPERS  := $(filter-out $(wildcard tests/test_*.c tests/fuzz*.c) $(PROGRAMS),$(wildcard tests/*.c))
EMBEDDED := $(shell find templates schedules runtime/auxiliary -name '*.ptx' -o -name '*.lua' -o -name '*.cu*' | LC_ALL=C sort)

OBJ       = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ASAN      = $(patsubst %.c,$(BUILD)/asan/%.o,$(1))
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DWL_SANITIZE
ALL      := $(GEN) $(RUNTIME) $(EMU) $(CLI) $(TESTS) $(HELPERS) $(FUZZERS) $(PROGRAMS) tests/fuzzer.c tests/capture/capture.c

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all capture coverage-emu device-test race examples bench-runtime install demo test grid mutate sanitize fuzz deps format clean help tests

##   all        the command line, the libraries and the emulated driver (the default)
all: $(BUILD)/warploom $(BUILD)/libwarploom.so $(BUILD)/emu/libcuda.so.1

##   demo       installs what is missing, builds, emits a kernel, assembles it, runs it and checks it
demo: all
	@.ci/deps ptxas $(BUILD)/cuda || true
	@sh .ci/demo $(BUILD)

##   test       installs what the tests need, builds and runs all of them
test: all tests
	@.ci/deps ptxas $(BUILD)/cuda || true
	@.ci/deps nvdisasm $(BUILD)/cuda || true
	@.ci/deps nvrtc $(BUILD)/cuda || true
	@.ci/examples $(BUILD)
	PATH="$$PATH:$(abspath $(BUILD)/cuda/bin)" $(BUILD)/tests/all --jobs 2 --timeout 300
tests: $(BUILD)/tests/all $(BUILD)/tests/libfault_cuda.so

##   grid       the whole correctness grid on the emulated device, with a table; GRID="--sample 50" takes less
grid: all $(BUILD)/tests/grid
	$(BUILD)/tests/grid $(GRID)

##   mutate     every synchronisation of the shipped kernels removed or weakened, one at a time: the judge must see it
MUTATE ?= $(patsubst schedules/%.lua,%,$(wildcard schedules/*.lua)) $(addprefix sm100_fwd_hd128%,scheduler=clc cta_pair=true) sm100_fwd_hd64%scheduler=clc%cta_pair=true
mutate: all $(BUILD)/tests/mutate
	@wrong=0; for s in $(MUTATE); do $(BUILD)/tests/mutate $$(echo $$s | tr % ' ') || wrong=1; done; exit $$wrong

##   exp2-table what exp2 on the FMA pipe and the rescale threshold cost in accuracy, over degree, share and threshold
exp2-table: all $(BUILD)/tests/exp2_table
	$(BUILD)/tests/exp2_table $(SCHEDULE)

##   coverage-emu  the emulator's tests once more, and the instruction forms that none of them executed: there must be none
coverage-emu: all tests
	@rm -f $(BUILD)/coverage-emu.txt
	@WARPLOOM_EMU_COVERAGE=$(abspath $(BUILD))/coverage-emu.txt $(BUILD)/tests/all --jobs 2 --timeout 300 --filter '@(emu|judge|oracle)*/*'
	$(BUILD)/warploom emu --coverage $(BUILD)/coverage-emu.txt

##   race       the runtime's threads under ThreadSanitizer, on a driver that does nothing
race: $(BUILD)/tests/race $(BUILD)/tests/libnull_cuda.so
	@rm -rf $(BUILD)/tests/race.cache
	@WARPLOOM_DEVICE=emu WARPLOOM_EMU_LIBRARY=$(abspath $(BUILD)/tests/libnull_cuda.so) WARPLOOM_CACHE_DIR=$(BUILD)/tests/race.cache $<

##   leaks      the same program under AddressSanitizer and LeakSanitizer, once with a bundle
leaks: $(BUILD)/tests/leaks $(BUILD)/tests/libnull_cuda.so all
	@rm -rf $(BUILD)/tests/leaks.cache && $(BUILD)/warploom pack -o $(BUILD)/tests/leaks.wlb --head-dim 64,128 --causal both --ptx >/dev/null
	@for bundle in "" $(BUILD)/tests/leaks.wlb; do WARPLOOM_DEVICE=emu WARPLOOM_EMU_LIBRARY=$(abspath $(BUILD)/tests/libnull_cuda.so) \
	    WARPLOOM_BUNDLE=$$bundle WARPLOOM_CACHE_DIR=$(BUILD)/tests/leaks.cache ASAN_OPTIONS=detect_leaks=1 $< || exit 1; done

##   bench-runtime  what a launch, a look-up, a warm and a cold start cost; WARPLOOM_DEVICE chooses where
bench-runtime: all $(BUILD)/tests/bench_runtime
	@.ci/deps ptxas $(BUILD)/cuda || true
	$(BUILD)/tests/bench_runtime

##   bench-emu  GFLOP/s of the emulated device: attention and matrix products, checks off and on, one core and all
bench-emu: all $(BUILD)/tests/bench_emu
	$(BUILD)/tests/bench_emu

##   clients    programs of other people on the emulated driver: cuda-python, Triton, nvcc's images (fetches them from PyPI)
clients: all
	sh tests/clients/run.sh $(BUILD)

##   capture    on a machine with a Hopper GPU: what it makes of every instruction form, into build/captures (tests/captures has an H200's)
capture: $(BUILD)/capture
	$(BUILD)/capture $(BUILD)/captures

##   golden     accepts the PTX that tests/test_golden.c found changed: build/golden/ goes to tests/golden/
golden:
	@mkdir -p tests/golden && for f in $(wildcard $(BUILD)/golden/*.ptx); do mv -v $$f tests/golden/; done

##   device-test  on a machine with a GPU: the Driver API tests on its driver, the runtime and the sm_90a grid on the GPU; GRID as above
device-test: all tests $(BUILD)/tests/grid
	WARPLOOM_TEST_DRIVER=libcuda.so.1 $(BUILD)/tests/all --jobs 1 --filter 'driver*/*'
	$(BUILD)/tests/all --jobs 1 --filter 'gpu/*'
	$(BUILD)/tests/grid --family sm90 --device cuda:0 $(GRID)

##   sanitize   the tests under ASan and UBSan
sanitize: $(BUILD)/asan/warploom $(BUILD)/asan/libwarploom_cuda.so $(BUILD)/asan/tests/all $(BUILD)/asan/tests/libfault_cuda.so
	ASAN_OPTIONS=detect_leaks=0 $(BUILD)/asan/tests/all --jobs 2 --timeout 600

##   fuzz       every fuzzer for FUZZ_SECONDS (20) each under ASan and UBSan; a crash leaves its input in build/fuzz
FUZZ_SECONDS ?= 20
fuzz: $(patsubst tests/fuzz_%.c,$(BUILD)/fuzz/%,$(FUZZERS))
	@for f in $^; do $$f --seconds $(FUZZ_SECONDS) || exit 1; done

##   examples   builds and runs the programs of examples/ (test does it too)
examples: all
	@.ci/examples $(BUILD)

##   install    into DESTDIR and PREFIX (/usr/local): the command, the header, both libraries, warploom.pc
PREFIX ?= /usr/local
install: all $(BUILD)/libwarploom.a
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" LIBS="$(LIBS)" .ci/install $(BUILD)

##   deps       what the targets above need: compiler, Lua 5.4, Criterion, ptxas, nvdisasm, NVRTC
deps: $(BUILD)/deps.mk $(BUILD)/deps.test
	@.ci/deps ptxas $(BUILD)/cuda
	@.ci/deps nvdisasm $(BUILD)/cuda
	@.ci/deps nvrtc $(BUILD)/cuda

##   format     clang-format over gen, runtime, tests and examples
format:
	clang-format -i $(shell find gen runtime tests examples -name '*.[ch]')

##   clean      removes build/
clean:
	rm -rf $(BUILD)

##   help       this list
help:
	@echo "make [target]"; sed -n 's/^##//p' $(MAKEFILE_LIST)

# One short line a file; V=1 shows the commands.
SAY = $(if $(V),,@echo '  build $@';)

# What the machine has: make remakes this file first, then starts over with the flags that it holds.
ifneq ($(filter-out help clean format golden,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/deps.mk
endif
$(BUILD)/deps.mk: .ci/deps
	@mkdir -p $(@D) && CC="$(CC)" .ci/deps build >$@.new && mv $@.new $@
$(BUILD)/deps.test: .ci/deps
	@mkdir -p $(@D) && CC="$(CC)" .ci/deps test && touch $@

$(BUILD)/embed.c: .ci/embed $(EMBEDDED) $(sort $(dir $(EMBEDDED)))
	@mkdir -p $(@D) && .ci/embed $(EMBEDDED) >$@.$$$$ && mv $@.$$$$ $@

# Objects, once plain and once sanitized. The emulator is the part where speed counts.
$(BUILD)/obj/runtime/emu/%.o: OPT = -O3 -march=$(ARCH)
$(BUILD)/asan/%.o: OPT = $(SANITIZE)
$(call OBJ,$(TESTS)) $(call ASAN,$(TESTS)): | $(BUILD)/deps.test
define COMPILE
	@mkdir -p $(@D)
	$(SAY) $(CC) $(FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
endef
$(BUILD)/obj/%.o: %.c
	$(COMPILE)
$(BUILD)/asan/%.o: %.c
	$(COMPILE)
$(BUILD)/obj/embed.o $(BUILD)/asan/embed.o: $(BUILD)/embed.c
	$(COMPILE)

$(BUILD)/libwarploom.a: $(call OBJ,$(GEN) $(RUNTIME)) $(BUILD)/obj/embed.o
$(BUILD)/libemu.a: $(call OBJ,$(EMU))
$(BUILD)/libhelpers.a: $(call OBJ,$(HELPERS))
$(BUILD)/asan/libwarploom.a: $(call ASAN,$(GEN) $(RUNTIME)) $(BUILD)/asan/embed.o
$(BUILD)/asan/libemu.a: $(call ASAN,$(EMU))
$(BUILD)/asan/libhelpers.a: $(call ASAN,$(HELPERS))
%.a:
	@rm -f $@
	$(SAY) $(AR) rcs $@ $^

$(BUILD)/warploom: $(call OBJ,$(CLI)) $(BUILD)/libwarploom.a
	$(SAY) $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/asan/warploom: $(call ASAN,$(CLI)) $(BUILD)/asan/libwarploom.a
	$(SAY) $(CC) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)
SO_LINK = $(CC) $(LDFLAGS) -shared -Wl,-soname,libwarploom.so.0 -Wl,--version-script=runtime/warploom.map -Wl,--no-undefined
$(BUILD)/libwarploom.so.0: $(call OBJ,$(GEN) $(RUNTIME)) $(BUILD)/obj/embed.o runtime/warploom.map
	$(SAY) $(SO_LINK) -o $@ $(filter %.o,$^) $(LIBS)
$(BUILD)/libwarploom.so: $(BUILD)/libwarploom.so.0
	@ln -sf $(<F) $@
CUDA_LINK = $(CC) $(LDFLAGS) -shared -Wl,-soname,libcuda.so.1 -Wl,-Bsymbolic $(EMU_MAP:%=-Wl,--version-script=%) -o $@ $(filter %.o,$^) -lm -ldl -pthread
$(BUILD)/libwarploom_cuda.so: $(call OBJ,$(EMU) $(EMU_GEN)) $(EMU_MAP)
	$(SAY) $(CUDA_LINK) -Wl,--no-undefined
# LD_LIBRARY_PATH=build/emu gives it to any program that loads the driver.
$(BUILD)/emu/libcuda.so.1: $(BUILD)/libwarploom_cuda.so
	@mkdir -p $(@D) && ln -sf ../$(<F) $@
$(BUILD)/asan/libwarploom_cuda.so: $(call ASAN,$(EMU) $(EMU_GEN)) $(EMU_MAP)
	$(SAY) $(CUDA_LINK) $(SANITIZE)

# A driver that fails where a test says.
$(BUILD)/tests/libnull_cuda.so: tests/fault/null.c
	@mkdir -p $(@D)
	$(SAY) $(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<
$(BUILD)/tests/race: SANITIZER = -fsanitize=thread
$(BUILD)/tests/leaks: SANITIZER = -fsanitize=address,undefined -fno-omit-frame-pointer
$(BUILD)/tests/race $(BUILD)/tests/leaks: tests/fault/race.c $(GEN) $(RUNTIME) $(BUILD)/embed.c
	@mkdir -p $(@D)
	$(SAY) $(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) $(SANITIZER) -o $@ $^ $(LIBS)
$(BUILD)/tests/libfault_cuda.so $(BUILD)/asan/tests/libfault_cuda.so: tests/fault/cuda.c
	@mkdir -p $(@D)
	$(SAY) $(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS) -shared -o $@ $< -ldl

# All tests in one program, and any one of them alone: build/tests/npy from tests/test_npy.c.
TEST_LIBS = -lcriterion -llzma $(LIBS)
$(BUILD)/tests/all: $(call OBJ,$(TESTS)) $(BUILD)/libhelpers.a $(BUILD)/libemu.a $(BUILD)/libwarploom.a
	@mkdir -p $(@D)
	$(SAY) $(CC) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(BUILD)/asan/tests/all: $(call ASAN,$(TESTS)) $(BUILD)/asan/libhelpers.a $(BUILD)/asan/libemu.a $(BUILD)/asan/libwarploom.a
	@mkdir -p $(@D)
	$(SAY) $(CC) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(TEST_LIBS)
$(BUILD)/tests/grid $(BUILD)/tests/bench_runtime $(BUILD)/tests/bench_emu $(BUILD)/tests/mutate $(BUILD)/tests/exp2_table: $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libhelpers.a $(BUILD)/libwarploom.a
	@mkdir -p $(@D)
	$(SAY) $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/capture: $(BUILD)/obj/tests/capture/capture.o $(BUILD)/libhelpers.a $(BUILD)/libemu.a $(call OBJ,$(EMU_GEN))
	$(SAY) $(CC) $(LDFLAGS) -o $@ $^ -lm -ldl -pthread
$(BUILD)/tests/%: $(BUILD)/obj/tests/test_%.o $(BUILD)/libhelpers.a $(BUILD)/libemu.a $(BUILD)/libwarploom.a
	@mkdir -p $(@D)
	$(SAY) $(CC) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(BUILD)/fuzz/%: $(BUILD)/asan/tests/fuzz_%.o $(BUILD)/asan/tests/fuzzer.o $(BUILD)/asan/libemu.a $(BUILD)/asan/libwarploom.a
	@mkdir -p $(@D)
	$(SAY) $(CC) $(LDFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)

-include $(patsubst %.c,$(BUILD)/obj/%.d,$(ALL)) $(patsubst %.c,$(BUILD)/asan/%.d,$(ALL))
