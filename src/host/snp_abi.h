/* Linux's interface for SEV-SNP machines, as published: the headers of Linux 6.1, which Debian 12
 * has, lack it. Documentation/virt/kvm/api.rst and .../x86/amd-memory-encryption.rst of Linux 6.11;
 * include/uapi/linux/kvm.h, arch/x86/include/uapi/asm/kvm.h, include/uapi/linux/psp-sev.h. The
 * sizes and offsets asserted below were copied from there by hand. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define SNP_KVMIO 0xae

/* api.rst §4.1, KVM_CREATE_VM: types of machines on x86. */
#define SNP_VM_TYPE 4ul

/* api.rst §4.37, KVM_ENABLE_CAP, and §7.2x, KVM_CAP_EXIT_HYPERCALL. */
#define SNP_CAP_EXIT_HYPERCALL 201u
#define SNP_HYPERCALL_MAP_GPA_RANGE 12u
#define SNP_MAP_GPA_ENCRYPTED (1u << 4)

/* api.rst §4.142, KVM_CREATE_GUEST_MEMFD. */
struct snp_guest_memfd {
    uint64_t size, flags, reserved[6];
};
_Static_assert(sizeof(struct snp_guest_memfd) == 64, "kvm_create_guest_memfd");
#define SNP_CREATE_GUEST_MEMFD _IOWR(SNP_KVMIO, 0xd4, struct snp_guest_memfd)

/* api.rst §4.140, KVM_SET_USER_MEMORY_REGION2. */
struct snp_memory_region {
    uint32_t slot, flags;
    uint64_t gpa, size, userspace_address, memfd_offset;
    uint32_t memfd, pad1;
    uint64_t pad2[14];
};
_Static_assert(sizeof(struct snp_memory_region) == 160 &&
                   offsetof(struct snp_memory_region, memfd_offset) == 32 &&
                   offsetof(struct snp_memory_region, memfd) == 40,
               "kvm_userspace_memory_region2");
#define SNP_SET_MEMORY_REGION _IOW(SNP_KVMIO, 0x49, struct snp_memory_region)
#define SNP_MEMORY_GUEST_MEMFD (1u << 2)

/* api.rst §4.141, KVM_SET_MEMORY_ATTRIBUTES. */
struct snp_memory_attributes {
    uint64_t address, size, attributes, flags;
};
_Static_assert(sizeof(struct snp_memory_attributes) == 32, "kvm_memory_attributes");
#define SNP_SET_MEMORY_ATTRIBUTES _IOW(SNP_KVMIO, 0xd2, struct snp_memory_attributes)
#define SNP_ATTRIBUTE_PRIVATE (1ull << 3)

/* amd-memory-encryption.rst, "KVM_MEMORY_ENCRYPT_OP". */
struct snp_command {
    uint32_t id, pad0;
    uint64_t data;
    uint32_t error; /* of the firmware */
    uint32_t sev_fd;
};
_Static_assert(sizeof(struct snp_command) == 24 && offsetof(struct snp_command, data) == 8 &&
                   offsetof(struct snp_command, error) == 16,
               "kvm_sev_cmd");
#define SNP_MEMORY_ENCRYPT_OP _IOWR(SNP_KVMIO, 0xba, unsigned long)
_Static_assert(SNP_MEMORY_ENCRYPT_OP == 0xc008aeba, "as others have it");

enum snp_command_id {
    SNP_INIT2 = 22,
    SNP_LAUNCH_START = 100,
    SNP_LAUNCH_UPDATE,
    SNP_LAUNCH_FINISH,
    SNP_ENABLE_REQ_CERTS
};

/* "KVM_SEV_INIT2" */
struct snp_init {
    uint64_t vmsa_features;
    uint32_t flags;
    uint16_t ghcb_version, pad1;
    uint32_t pad2[8];
};
_Static_assert(sizeof(struct snp_init) == 48 && offsetof(struct snp_init, ghcb_version) == 12,
               "kvm_sev_init");

/* "KVM_SEV_SNP_LAUNCH_START" */
struct snp_start {
    uint64_t policy;
    uint8_t gosvw[16];
    uint16_t flags;
    uint8_t pad0[6];
    uint64_t pad1[4];
};
_Static_assert(sizeof(struct snp_start) == 64 && offsetof(struct snp_start, flags) == 24,
               "kvm_sev_snp_launch_start");

/* "KVM_SEV_SNP_LAUNCH_UPDATE": the kernel leaves in it what is still to be done. */
struct snp_update {
    uint64_t gfn, address, size;
    uint8_t type, pad0;
    uint16_t flags;
    uint32_t pad1;
    uint64_t pad2[4];
};
_Static_assert(sizeof(struct snp_update) == 64 && offsetof(struct snp_update, type) == 24 &&
                   offsetof(struct snp_update, flags) == 26,
               "kvm_sev_snp_launch_update");

/* "KVM_SEV_SNP_LAUNCH_FINISH" */
struct snp_finish {
    uint64_t id_block, id_auth;
    uint8_t has_id_block, has_author_key, vcek_disabled, host_data[32], pad0[3];
    uint16_t flags;
    uint64_t pad1[4];
};
_Static_assert(sizeof(struct snp_finish) == 88 &&
                   offsetof(struct snp_finish, vcek_disabled) == 18 &&
                   offsetof(struct snp_finish, host_data) == 19 &&
                   offsetof(struct snp_finish, flags) == 54 &&
                   offsetof(struct snp_finish, pad1) == 56,
               "kvm_sev_snp_launch_finish");

/* What the firmware says of a CPUID page that it has corrected (AMD 56860, SNP_LAUNCH_UPDATE). */
#define SNP_STATUS_INVALID_PARAM 0x16u

/* Reasons of exits that Linux 6.1's headers lack, and what kvm_run has for them, from its offset 32
 * on (api.rst §5). */
enum { SNP_EXIT_MEMORY_FAULT = 39, SNP_EXIT_REQ_CERTS = 43 };
#define SNP_RUN_UNION_AT 32

/* KVM_EXIT_MEMORY_FAULT. */
struct snp_memory_fault {
    uint64_t flags, gpa, size;
};

/* KVM_EXIT_SNP_REQ_CERTS: asks for the table of certificates at gpa, of at most so many pages. */
struct snp_req_certs {
    uint64_t gpa, pages, result; /* 0, or an errno */
};

/* KVM_EXIT_SYSTEM_EVENT of this type: the guest ended itself; data[0] is the GHCB's MSR. */
#define SNP_SYSTEM_EVENT_SEV_TERM 4u

/* ---- /dev/sev: psp-sev.h ---- */

struct snp_platform_command {
    uint32_t id;
    uint64_t data;
    uint32_t error;
} __attribute__((packed));
_Static_assert(sizeof(struct snp_platform_command) == 16, "sev_issue_cmd");
#define SNP_ISSUE_COMMAND _IOWR('S', 0, struct snp_platform_command)
enum { SNP_GET_ID2 = 8, SNP_PLATFORM_STATUS = 9 };

/* struct sev_user_data_get_id2: the chip's number, 64 bytes at an address. */
struct snp_id {
    uint64_t address;
    uint32_t size;
} __attribute__((packed));
_Static_assert(sizeof(struct snp_id) == 12, "sev_user_data_get_id2");

struct snp_status {
    uint8_t api_major, api_minor, state, is_rmp_ready;
    uint32_t build_id, flags, guests;
    uint8_t current_tcb[8], reported_tcb[8];
};
_Static_assert(sizeof(struct snp_status) == 32 && offsetof(struct snp_status, current_tcb) == 16,
               "sev_user_data_snp_status");
