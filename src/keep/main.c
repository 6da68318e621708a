/* broch-keep, the exec layer: the one program that every backend runs unchanged. It reads the boot
 * request from descriptor 4, runs the workload, and exits with its code. It is not for people:
 * `broch run` starts it. */
#include "keep/keep.h"

int main(void)
{
    struct arena arena;
    struct boot boot;
    struct err err;
    char text[ERR_TEXT_SIZE];
    int code = KEEP_FAILED;

    call_log_setup(LOG_INFO);
    arena_init(&arena, arena_heap, SIZE_MAX);
    if (boot_read(&arena, &boot, &err)) {
        call_log_setup(boot.log_level);
        call_phase(KEEP_PHASE_BOOTED);
        code = workload_run(&boot, &arena);
    } else {
        log_error("cannot boot", log_str("reason", err_text(&err, NULL, text)));
    }
    arena_done(&arena);
    return code;
}
