/* What this machine has of what backends need: for `broch platform info`. Looks, and changes
 * nothing. What the machine answers is shown to people and decides nothing about trust. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/internal.h"
#include "os/os.h"
#include "base/banned.h"

#define KVM_DEVICE "/dev/kvm"
#define SGX_DEVICE "/dev/sgx_enclave"
#define SGX_PROVISION "/dev/sgx_provision"
#define AESM_SOCKET "/var/run/aesmd/aesm.socket"
#define KEEP_IMAGE "broch-keep"

/* Linux 6.1's headers, which Debian 12 has, lack these (Documentation/virt/kvm/api.rst). */
#define CAP_VM_TYPES 235
#define VM_TYPE_SNP 4

/* What several backends ask. */
struct look {
    const char *kvm_device;
    int kvm;               /* a descriptor that answered as KVM does; or -1 */
    int vm_types;          /* as KVM_CAP_VM_TYPES gives them; 0: it does not say */
    unsigned major, minor; /* of Linux */
    char release[65];
};

void probe_add(struct host_platform *platform, const char *name, const char *mend,
               const char *format, ...)
{
    struct host_probe probe = {.name = name, .ok = mend == NULL};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(probe.found, sizeof probe.found, format, args);
    va_end(args);
    if (mend != NULL)
        (void)snprintf(probe.mend, sizeof probe.mend, "%s", mend);
    if (platform->count < HOST_PROBES_MAX)
        platform->probes[platform->count++] = probe;
}

bool host_platform_is_ready(const struct host_platform *platform)
{
    for (size_t i = 0; i < platform->count; i++) {
        if (!platform->probes[i].ok)
            return false;
    }
    return true;
}

/* ---- devices ---- */

static const char other_device[] = "see whether it is the device that was meant";

/* How to come by the right to use a device that is there, or a socket; `group` is whose Debian
 * would make it. */
static void write_leave(const char *path, const char *group, char *out, size_t size)
{
    struct stat st;
    bool for_group = stat(path, &st) == 0 && (st.st_mode & 060) == 060 && st.st_gid != 0;

    if (for_group)
        (void)snprintf(out, size,
                       "add yourself to the group of %s: sudo usermod -aG \"$(stat -c %%G %s)\" "
                       "$USER; then log in again",
                       path, path);
    else
        (void)snprintf(out, size,
                       "let a group use it: sudo chgrp %s %s && sudo chmod 0660 %s (a udev rule "
                       "makes that last), and add yourself to the group %s: sudo usermod -aG %s "
                       "$USER; then log in again",
                       group, path, path, group, group);
}

/* A device that could not be used; `absent` is what to do when it is not there. */
static void add_failure(struct host_platform *p, const char *path, int number, const char *absent,
                        const char *group)
{
    char mend[sizeof p->probes[0].mend];

    if (number == ENOENT || number == ENOTDIR || number == ENODEV || number == ENXIO)
        (void)snprintf(mend, sizeof mend, "%s", absent);
    else if (number == EACCES || number == EPERM)
        write_leave(path, group, mend, sizeof mend);
    else
        (void)snprintf(mend, sizeof mend, "%s", other_device);
    probe_add(p, path, mend, "%s", os_strerror(number));
}

/* A device that is looked at and not opened. */
static bool probe_device(struct host_platform *p, const char *path, const char *absent,
                         const char *group)
{
    struct stat st;

    if (access(path, R_OK | W_OK) != 0) {
        add_failure(p, path, errno, absent, group);
        return false;
    }
    if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode)) {
        probe_add(p, path, other_device, "it is no device");
        return false;
    }
    probe_add(p, path, NULL, "may be used");
    return true;
}

/* ---- Linux ---- */

static unsigned take_number(const char **at)
{
    unsigned value = 0;

    for (; **at >= '0' && **at <= '9' && value < 100000; (*at)++)
        value = value * 10 + (unsigned)(**at - '0');
    return value;
}

static void read_system(struct look *look, struct host_machine *out)
{
    struct utsname name;

    if (uname(&name) != 0)
        return;
    (void)snprintf(out->system, sizeof out->system, "%s %s %s %s", name.sysname, name.release,
                   name.version, name.machine);
    (void)snprintf(look->release, sizeof look->release, "%s", name.release);
    const char *at = name.release;
    look->major = take_number(&at);
    at += *at == '.';
    look->minor = take_number(&at);
}

static bool is_since(const struct look *look, unsigned major, unsigned minor)
{
    return look->major > major || (look->major == major && look->minor >= minor);
}

/* The line "microcode : 0x…" of /proc/cpuinfo, which stands near its beginning. */
static void read_microcode(char *out, size_t size)
{
    static const char word[] = "\nmicrocode\t: ";
    char text[8192];
    size_t got = 0;
    struct err err;
    CLEANUP(os_closep) int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || !os_read_exactly(fd, text, sizeof text - 1, &got, &err))
        return;
    text[got] = '\0';
    const char *at = strstr(text, word);
    if (at != NULL)
        (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(word), "\n"), at + strlen(word));
}

/* ---- nil ---- */

static bool has_action(uint32_t action)
{
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void probe_nil(struct host_platform *p)
{
    uint8_t memory[16384];
    struct arena arena;
    const char *path;
    struct err err;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (host_image_path(KEEP_IMAGE, &arena, &path, &err))
        probe_add(p, KEEP_IMAGE, NULL, "%s", path);
    else
        probe_add(p, KEEP_IMAGE, "install Broch anew, whole", "it %s", err.msg);
    if (!nil_has_filter)
        probe_add(p, "sandbox", "broch run --insecure-no-sandbox does without",
                  "this build has none for this processor");
    else if (!has_action(SECCOMP_RET_KILL_PROCESS) || !has_action(SECCOMP_RET_USER_NOTIF))
        probe_add(p, "sandbox",
                  "take a kernel with CONFIG_SECCOMP_FILTER, and a container that may use seccomp",
                  "no seccomp filters that kill and notify");
    else
        probe_add(p, "sandbox", NULL, "seccomp filters, with notification");
}

/* ---- kvm ---- */

static const char kvm_absent[] =
    "load KVM: sudo modprobe kvm_intel (on AMD kvm_amd); where that fails, switch virtualization "
    "on in the firmware or, in a virtual machine, nested virtualization on its host";

static const char kvm_other[] = "name KVM's device in BROCH_KVM_DEVICE, or leave it empty";

/* Opens KVM once; its probe goes to both of its backends. */
static void probe_kvm_device(struct look *look, struct host_platform *p)
{
    struct stat st;
    int fd = open(look->kvm_device, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int number = errno;

    if (fd < 0) {
        add_failure(p, look->kvm_device, number,
                    strcmp(look->kvm_device, KVM_DEVICE) == 0 ? kvm_absent : kvm_other, "kvm");
        return;
    }
    /* what is no device is not asked at all */
    bool is_device = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
    int version = is_device ? ioctl(fd, KVM_GET_API_VERSION, 0) : -1;
    if (version == KVM_API_VERSION) {
        probe_add(p, look->kvm_device, NULL, "API version %d", version);
        look->kvm = fd;
        int types = ioctl(fd, KVM_CHECK_EXTENSION, CAP_VM_TYPES);
        look->vm_types = types > 0 ? types : 0;
        return;
    }
    if (version > 0)
        probe_add(p, look->kvm_device,
                  "take a kernel whose KVM has version 12, as all since 2.6.22", "API version %d",
                  version);
    else
        probe_add(p, look->kvm_device, kvm_other, "it is not KVM's");
    (void)close(fd);
}

static const struct {
    int number;
    const char *name;
} kvm_needs[] = {
    {KVM_CAP_USER_MEMORY, "USER_MEMORY"},
    {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
    {KVM_CAP_SYNC_REGS, "SYNC_REGS"},
};

static void probe_kvm(const struct look *look, struct host_platform *p)
{
    const char *lacks = NULL;

    probe_cpu_kvm(p, look->kvm >= 0);
    if (look->kvm < 0)
        return;
    for (size_t i = 0; i < COUNT_OF(kvm_needs) && lacks == NULL; i++) {
        if (ioctl(look->kvm, KVM_CHECK_EXTENSION, kvm_needs[i].number) <= 0)
            lacks = kvm_needs[i].name;
    }
    if (lacks != NULL)
        probe_add(p, "capabilities", "take a newer kernel", "KVM has no KVM_CAP_%s", lacks);
    else
        probe_add(p, "capabilities", NULL, "USER_MEMORY, IMMEDIATE_EXIT, SYNC_REGS");
}

/* ---- snp ---- */

static void probe_snp_module(struct host_platform *p)
{
    char value[2] = "";
    size_t got = 0;
    struct err err;
    CLEANUP(os_closep)
    int fd = open("/sys/module/kvm_amd/parameters/sev_snp", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        probe_add(p, "kvm_amd", "load it, of Linux 6.11 or newer: sudo modprobe kvm_amd",
                  "no parameter sev_snp: %s", os_strerror(errno));
    else if (os_read_exactly(fd, value, 1, &got, &err) && (value[0] == 'Y' || value[0] == '1'))
        probe_add(p, "kvm_amd", NULL, "sev_snp=Y");
    else
        probe_add(p, "kvm_amd",
                  "load kvm_amd with sev_snp=1, with SEV-SNP and the RMP on in the firmware; "
                  "'dmesg | grep -i -e sev -e ccp' says why not",
                  "sev_snp is off");
}

static void probe_snp(const struct look *look, struct host_platform *p)
{
    bool has_type = (look->vm_types >> VM_TYPE_SNP & 1) != 0;

    probe_cpu_snp(p);
    if (has_type || is_since(look, 6, 11))
        probe_add(p, "kernel", NULL, "Linux %s", look->release);
    else
        probe_add(p, "kernel", "take Linux 6.11 or newer, the first to host SEV-SNP", "Linux %s",
                  look->release);
    probe_snp_module(p);
    if (has_type)
        probe_add(p, "virtual machines", NULL, "KVM_CAP_VM_TYPES 0x%x, with SNP",
                  (unsigned)look->vm_types);
    else if (look->kvm < 0)
        probe_add(p, "virtual machines", "mend what is above", "KVM could not be asked");
    else
        probe_add(p, "virtual machines", "mend what is above; then KVM has this type too",
                  "KVM_CAP_VM_TYPES 0x%x, without SNP", (unsigned)look->vm_types);
    (void)probe_device(p, SEV_DEVICE,
                       "load the driver of AMD's secure processor: sudo modprobe ccp", "kvm");
}

/* ---- sgx ---- */

static bool probe_sgx_device(struct host_platform *p, const char *path, bool is_usual,
                             const char *other)
{
    return probe_device(p, path,
                        is_usual
                            ? "mend what is above; then a Linux that is built with CONFIG_X86_SGX "
                              "makes it by itself, and a container must be given it"
                            : other,
                        "sgx");
}

static void probe_aesmd(struct host_platform *p)
{
    const char *path = host_aesm_socket();
    char mend[sizeof p->probes[0].mend];
    struct stat st;
    int number = stat(path, &st) != 0 ? errno : 0;
    bool is_shut = number == EACCES; /* a folder on the way */

    if (number == 0 && S_ISSOCK(st.st_mode) && access(path, R_OK | W_OK) != 0)
        number = errno;
    if (number == EACCES || number == EPERM) {
        if (is_shut)
            (void)snprintf(mend, sizeof mend, "let yourself into the folders on the way to %s",
                           path);
        else
            write_leave(path, "aesmd", mend, sizeof mend);
        probe_add(p, "aesmd", mend, "you may not use its socket %s", path);
    } else if (number != 0) {
        probe_add(p, "aesmd",
                  strcmp(path, AESM_SOCKET) == 0
                      ? "install Intel's sgx-aesm-service with libsgx-aesm-ecdsa-plugin, whose "
                        "enclave signs quotes, and start it: sudo systemctl start aesmd"
                      : "name aesmd's socket in BROCH_AESM_SOCKET, or leave it empty",
                  "no socket %s: %s", path, os_strerror(number));
    } else if (!S_ISSOCK(st.st_mode)) {
        probe_add(p, "aesmd", "name aesmd's socket in BROCH_AESM_SOCKET, or leave it empty",
                  "%s is no socket", path);
    } else {
        probe_add(p, "aesmd", NULL, "%s", path);
    }
}

static void probe_sgx(const struct look *look, struct host_platform *p)
{
    const char *device = host_sgx_device(), *provision = host_sgx_provision();
    struct statvfs fs;

    probe_cpu_sgx(p);
    probe_add(p, "kernel",
              is_since(look, 5, 11) ? NULL : "take Linux 5.11 or newer, the first with SGX",
              "Linux %s%s", look->release,
              is_since(look, 6, 0) ? "" : ", without dynamic memory (since 6.0)");
    if (probe_sgx_device(p, device, strcmp(device, SGX_DEVICE) == 0,
                         "name SGX's device in BROCH_SGX_DEVICE, or leave it empty") &&
        statvfs(device, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
        probe_add(p, "/dev", "sudo mount -o remount,exec /dev", "mounted noexec: no enclave runs");
    (void)probe_sgx_device(p, provision, strcmp(provision, SGX_PROVISION) == 0,
                           "name its device in BROCH_SGX_PROVISION, or leave it empty");
    probe_aesmd(p);
}

/* ---- all of it ---- */

static const struct {
    const char *name, *summary;
} platforms[HOST_PLATFORMS] = {
    [HOST_NIL] = {"nil", "a process without a TEE: nothing is hidden from the host"},
    [HOST_KVM] = {"kvm", "a virtual machine without a TEE: nothing is hidden from the host"},
    [HOST_SNP] = {"snp", "a virtual machine in AMD SEV-SNP"},
    [HOST_SGX] = {"sgx", "an enclave in Intel SGX"},
};

/* NULL: this version does not have it, on this kind of machine. */
static const struct host_backend *find_backend(const char *name)
{
    for (size_t i = 0; host_backends[i] != NULL; i++) {
        if (strcmp(host_backends[i]->name, name) == 0)
            return host_backends[i];
    }
    return NULL;
}

static const char *named_or(const char *variable, const char *usual)
{
    const char *named = getenv(variable);

    return named != NULL && named[0] != '\0' ? named : usual;
}

const char *host_kvm_device(void)
{
    return named_or("BROCH_KVM_DEVICE", KVM_DEVICE);
}

const char *host_sgx_device(void)
{
    return named_or("BROCH_SGX_DEVICE", SGX_DEVICE);
}

const char *host_sgx_provision(void)
{
    return named_or("BROCH_SGX_PROVISION", SGX_PROVISION);
}

const char *host_aesm_socket(void)
{
    return named_or("BROCH_AESM_SOCKET", AESM_SOCKET);
}

void host_probe_machine(struct host_machine *out)
{
    struct look look = {.kvm_device = host_kvm_device(), .kvm = -1};

    *out = (struct host_machine){.system = ""};
    struct host_platform *all = out->platforms;
    for (size_t i = 0; i < HOST_PLATFORMS; i++) {
        all[i].name = platforms[i].name;
        all[i].summary = platforms[i].summary;
        all[i].backend = find_backend(platforms[i].name);
    }
    read_system(&look, out);
    cpu_describe(out->cpu, sizeof out->cpu);
    read_microcode(out->microcode, sizeof out->microcode);
    probe_nil(&all[HOST_NIL]);
    probe_kvm_device(&look, &all[HOST_KVM]);
    all[HOST_SNP].probes[0] = all[HOST_KVM].probes[0];
    all[HOST_SNP].count = all[HOST_KVM].count;
    probe_kvm(&look, &all[HOST_KVM]);
    probe_snp(&look, &all[HOST_SNP]);
    probe_sgx(&look, &all[HOST_SGX]);
    os_closep(&look.kvm);
}

const char *host_platform_lacks(unsigned number)
{
    static struct host_machine machine;
    static char text[1024];
    const struct host_platform *platform = &machine.platforms[number];
    size_t i = 0;

    host_probe_machine(&machine);
    while (i < platform->count && platform->probes[i].ok)
        i++;
    if (i == platform->count)
        return NULL;
    (void)snprintf(text, sizeof text,
                   "%s: %s; %s. 'broch platform info' says all that is missing, and --simulate "
                   "does without",
                   platform->probes[i].name, platform->probes[i].found, platform->probes[i].mend);
    return text;
}
