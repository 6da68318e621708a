/* The engine's platform on POSIX: memory by mmap, guard pages by SIGSEGV and SIGBUS. */
#pragma once

#include "wasm/wasm.h"

/* Ready to be put into a wasm_config. Takes over the process's SIGSEGV and SIGBUS; faults that are
 * not the engine's go where they went before. */
struct wasm_platform os_wasm_platform(void);
