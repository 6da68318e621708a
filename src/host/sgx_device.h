/* Enclaves by Linux's driver of SGX: /dev/sgx_enclave, and a function of the vDSO that enters them.
 * What is asked of the kernel goes through a table, so that a test can stand in its place. */
#pragma once

#include "host/internal.h"
#include "host/sgx_processor.h"

struct sgx_enclave_run;

/* __vdso_sgx_enter_enclave (vdso_sgx_enter_enclave_t of asm/sgx.h). Only sgx_enter may call it. */
typedef int sgx_enter_function(unsigned long rdi, unsigned long rsi, unsigned long rdx,
                               unsigned leaf, unsigned long r8, unsigned long r9,
                               struct sgx_enclave_run *run);

/* open, ioctl, mmap, munmap and close as in section 2 of the manual: -1, or MAP_FAILED, with
 * errno. mmap's offset is always 0. */
struct sgx_kernel {
    int (*open)(void *context, const char *path, int flags);
    int (*close)(void *context, int fd);
    int (*ioctl)(void *context, int fd, unsigned long request, void *argument);
    void *(*mmap)(void *context, void *address, size_t size, int rights, int flags, int fd);
    int (*munmap)(void *context, void *address, size_t size);
    sgx_enter_function *(*enter_function)(void *context); /* NULL: the vDSO has none */
    void *context;
};

extern const struct sgx_kernel sgx_linux;

/* Opens the device for one enclave. ERR_UNSUPPORTED: the machine or the kernel has no SGX; ERR_IO:
 * it is not for this user. Messages of this and of the processor's functions say what to do, and
 * fit child_fail. */
MUST_CHECK bool sgx_device_new(const struct sgx_kernel *kernel, const char *device_path,
                               struct sgx_processor *out, struct err *err);
/* The enclave's end, too. */
void sgx_device_free(struct sgx_processor *processor);

/* What a running enclave's processor asks of the kernel: these requests of that descriptor, and
 * nothing else. For machine_filter_install. */
#define SGX_DEVICE_REQUEST_COUNT 3
extern const struct device_request sgx_device_requests[SGX_DEVICE_REQUEST_COUNT];
int sgx_device_fd(const struct sgx_processor *processor);

/* sgx_enter.S: the call, after which the processor's state is as a C compiler has it. */
int sgx_enter(sgx_enter_function *function, uint64_t rdi, uint32_t leaf,
              struct sgx_enclave_run *run);
