#include "steward/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

static bool fail_io(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

bool sandbox_hide_memory(struct err *err)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return fail_io(err, "cannot hide a process's memory");
    return true;
}

/* ---- system calls ---- */

static bool load_filter(uint32_t otherwise, const int *calls, size_t count, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    int status = filter != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; status == 0 && i < count; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    /* memory never becomes code */
    if (status == 0)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (status == 0)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (status == 0)
        status = seccomp_load(filter);
    seccomp_release(filter);
    return status == 0 ||
           err_set(err, ERR_IO, "cannot set the filter of system calls", (uint64_t)-status);
}

/* What memory, threads of OpenSSL's and the end of a process need. */
#define COMMON_CALLS                                                                          \
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),    \
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), \
        SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), \
        SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(read),      \
        SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fdatasync),              \
        SCMP_SYS(ftruncate), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),          \
        SCMP_SYS(sched_yield), SCMP_SYS(tgkill), SCMP_SYS(sigaltstack)

bool sandbox_signer(struct err *err)
{
    static const int calls[] = {COMMON_CALLS};

    tzset(); /* the C library reads a file before its first gmtime, which is OpenSSL's */
    return load_filter(SCMP_ACT_KILL_PROCESS, calls, COUNT_OF(calls), err);
}

bool sandbox_network(struct err *err)
{
    static const int calls[] = {
        COMMON_CALLS,
        /* threads and their clocks */
        SCMP_SYS(clone3), SCMP_SYS(clone), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
        SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
        SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(clock_getres), SCMP_SYS(prctl),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(timerfd_create),
        SCMP_SYS(timerfd_settime), SCMP_SYS(prlimit64), SCMP_SYS(getuid), SCMP_SYS(geteuid),
        SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getppid), SCMP_SYS(uname), SCMP_SYS(sysinfo),
        SCMP_SYS(set_tid_address),
        /* sockets */
        SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(accept),
        SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
        SCMP_SYS(sendmmsg), SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
        SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(poll),
        SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(ioctl),
        SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
        SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(dup), SCMP_SYS(fcntl),
        /* the store, and settings of the resolver; landlock says which files */
        SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
        SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
        SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(readv), SCMP_SYS(fsync), SCMP_SYS(unlink),
        SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
        SCMP_SYS(fallocate), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(getrusage),
        SCMP_SYS(umask), SCMP_SYS(membarrier), SCMP_SYS(sendfile)};

    return load_filter(SCMP_ACT_ERRNO(EPERM), calls, COUNT_OF(calls), err);
}

/* ---- files ---- */

#define READ_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILES                                                                \
    (READ_FILES | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_REG)
/* All that the first version of landlock knows, so that everything not granted is refused. */
#define ALL_ACCESS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* Grants what of the access a file, or what is in a folder, can have; what is not there needs none.
 */
static bool grant(int rules, const char *path, uint64_t access, struct err *err)
{
    CLEANUP(os_closep) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return errno == ENOENT ||
               fail_io(err, "the server's user cannot reach a file that the server needs");
    if (fstat(fd, &status) != 0)
        return fail_io(err, "cannot open a file that the server needs");
    if (!S_ISDIR(status.st_mode))
        access &= LANDLOCK_ACCESS_FS_READ_FILE;
    const struct landlock_path_beneath_attr attr = {.allowed_access = access, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0 ||
           fail_io(err, "cannot restrict the server's files");
}

static bool restrict_files(struct sandbox_network *options, struct err *err)
{
    /* libraries, what names are resolved by, and the certificates that others trust: not all of
     * /etc, where the Steward's own keys may be */
    static const char *const readable[] = {"/usr",
                                           "/lib",
                                           "/lib64",
                                           "/etc/ld.so.cache",
                                           "/etc/resolv.conf",
                                           "/etc/hosts",
                                           "/etc/host.conf",
                                           "/etc/gai.conf",
                                           "/etc/services",
                                           "/etc/nsswitch.conf",
                                           "/etc/localtime",
                                           "/etc/ssl",
                                           "/etc/gnutls",
                                           "/dev/urandom",
                                           "/run/systemd/resolve",
                                           "/proc/sys",
                                           "/sys/devices/system/cpu"};
    const struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_ACCESS};
    CLEANUP(os_closep)
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

    if (rules < 0) {
        options->has_no_landlock = true;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(readable); i++) {
        if (!grant(rules, readable[i], READ_FILES, err))
            return false;
    }
    return grant(rules, options->store, WRITE_FILES, err) &&
           (syscall(SYS_landlock_restrict_self, rules, 0) == 0 ||
            fail_io(err, "cannot restrict the server's files"));
}

/* ---- who it is ---- */

/* The folder and the files in it. */
static bool give_away(const char *folder, const struct passwd *user, struct err *err)
{
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return fail_io(err, "cannot open the store's folder");
    bool ok = fchown(dirfd(dir), user->pw_uid, user->pw_gid) == 0;
    for (const struct dirent *e = readdir(dir); ok && e != NULL; e = readdir(dir)) {
        if (e->d_type == DT_REG)
            ok = fchownat(dirfd(dir), e->d_name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) ==
                 0;
    }
    (void)closedir(dir);
    return ok || fail_io(err, "cannot give the store to the server's user");
}

static bool become(const struct sandbox_network *options, struct err *err)
{
    if (options->user == NULL || geteuid() != 0)
        return true;
    const struct passwd *user = getpwnam(options->user);
    if (user == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no such user as [server] names", ERR_NO_AT);
    if (!give_away(options->store, user, err))
        return false;
    if (setgroups(0, NULL) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return fail_io(err, "cannot become the server's user");
    return true;
}

bool sandbox_enter_network(struct sandbox_network *options, struct err *err)
{
    if (!become(options, err) || !sandbox_hide_memory(err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_io(err, "cannot give up new privileges");
    return restrict_files(options, err);
}
