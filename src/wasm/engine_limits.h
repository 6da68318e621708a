/* The engine's limits. Numbers without a reason of their own are those of the WebAssembly
 * JavaScript Interface ("Implementation-defined Limits"), which every toolchain stays within. */
#pragma once

enum {
    WASM_MODULE_SIZE_MAX = 1 << 30,
    WASM_TYPES_MAX = 1000000,
    WASM_FUNCS_MAX = 1000000,
    WASM_IMPORTS_MAX = 1000000,
    WASM_EXPORTS_MAX = 1000000,
    WASM_GLOBALS_MAX = 1000000,
    WASM_SEGMENTS_MAX = 100000,
    WASM_TABLES_MAX = 100000,
    WASM_MEMORIES_MAX = 100,
    WASM_PARAMS_MAX = 1000,
    WASM_RESULTS_MAX = 1000,
    WASM_LOCALS_MAX = 50000, /* a vector counts as two */
    WASM_BODY_SIZE_MAX = 7654321,
    WASM_BR_TABLE_MAX = 65520,
    WASM_TABLE_INIT_MAX = 10000000,
    /* Blocks in each other, in one function: bounds what validation and translation take. */
    WASM_NESTING_MAX = 100000,
    /* Values on the operand stack of one function. With the locals, and two slots for a vector, a
     * frame's slots can be counted with 16 bits: see ir.h. */
    WASM_OPERANDS_MAX = 7000,
    /* Pages that 32 bits can address (§4.2.8). */
    WASM_PAGES_MAX = 65536,
    WASM_PAGE_SIZE = 65536,
};
