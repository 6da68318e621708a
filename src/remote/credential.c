#include "remote/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

#define PATH_SIZE 4096

static const char *join(struct arena *arena, const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 1;
    char *out = arena_alloc(arena, size, 1);

    if (out != NULL)
        (void)snprintf(out, size, "%s%s", a, b);
    return out;
}

/* "ISSUER-HOST" with the host of an issuer's URL, or "HOST". */
static bool write_id(const struct credential_source *source, struct bytes host, struct arena *arena,
                     const char **out, struct remote_fault *fault)
{
    struct writer w = writer_growable(arena, PATH_SIZE / 2);
    const char *issuer = source->issuer;
    struct bytes id;
    struct err err;

    if (issuer != NULL) {
        const char *scheme = strstr(issuer, "://");
        issuer = scheme != NULL ? scheme + 3 : issuer;
        size_t size = strcspn(issuer, "/?#");
        if (size == 0 || memchr(issuer, '@', size) != NULL)
            return remote_fail(fault, source->issuer, "is no issuer's address");
        writer_bytes(&w, bytes_from(issuer, size));
        writer_text(&w, "-");
    }
    writer_bytes(&w, host);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &id, &err))
        return remote_fail_err(fault, "credentials", &err);
    *out = (const char *)id.data;
    return true;
}

bool credential_path(const struct credential_source *source, struct bytes host, struct arena *arena,
                     const char **out, struct remote_fault *fault)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME"), *id;
    struct writer w = writer_growable(arena, PATH_SIZE);
    struct bytes path;
    struct err err;

    if (!write_id(source, host, arena, &id, fault))
        return false;
    bool has_config = config != NULL && config[0] == '/';
    if (!has_config && (home == NULL || home[0] != '/'))
        return remote_fail(fault, "credentials", "there is no HOME; give --token-file");
    writer_format(&w, "%s%s/broch/credentials/%s", has_config ? config : home,
                  has_config ? "" : "/.config", id);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &path, &err))
        return remote_fail_err(fault, "credentials", &err);
    *out = (const char *)path.data;
    return true;
}

/* ---- tokens ---- */

/* What a token may be: visible ASCII, as a header can carry it. White space around it goes. */
static bool read_token(struct bytes text, const char *what, struct arena *arena, const char **out,
                       struct remote_fault *fault)
{
    while (text.size != 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    while (text.size != 0 && text.data[0] <= ' ')
        text = bytes_after(text, 1);
    bool is_good = text.size != 0;
    for (size_t i = 0; i < text.size; i++)
        is_good &= text.data[i] > ' ' && text.data[i] < 0x7f;
    if (!is_good)
        return remote_fail(
            fault, what, text.size == 0 ? "there is no token in it" : "what is in it is no token");
    if (text.size > CREDENTIAL_MAX)
        return remote_fail(fault, what, "it is longer than any token");
    char *token = arena_alloc(arena, text.size + 1, 1);
    if (token == NULL)
        return remote_fail(fault, what, "no memory");
    memcpy(token, text.data, text.size);
    token[text.size] = '\0';
    *out = token;
    return true;
}

static bool read_file(const char *path, bool is_ours, struct arena *arena, const char **out,
                      struct remote_fault *fault)
{
    struct stat status;
    struct bytes text;
    struct err err;

    CLEANUP(os_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) != 0)
        return (is_ours && errno == ENOENT) || remote_fail(fault, path, os_strerror(errno));
    if (is_ours && (status.st_mode & 077) != 0)
        return remote_fail(fault, path, "others can read it; 'chmod 600' ends that");
    return os_read_fd(fd, CREDENTIAL_MAX, arena, &text, &err)
               ? read_token(text, path, arena, out, fault)
               : remote_fail_err(fault, path, &err);
}

/* ---- helpers ---- */

/* HELPER VERB ID, with our end of a pipe: its output, or its input. */
static pid_t start_helper(const char *helper, const char *verb, const char *id, bool is_input,
                          int *end)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(ends[is_input ? 0 : 1], is_input ? STDIN_FILENO : STDOUT_FILENO) >= 0)
            (void)execlp(helper, helper, verb, id, (char *)NULL);
        (void)fprintf(stderr, "broch: %s: %s\n", helper, os_strerror(errno));
        _exit(127);
    }
    (void)close(ends[is_input ? 0 : 1]);
    *end = ends[is_input ? 1 : 0];
    return pid;
}

static bool end_helper(pid_t pid, const char *helper, struct remote_fault *fault)
{
    char why[80];
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return remote_fail(fault, helper, os_strerror(errno));
    }
    if (WIFSIGNALED(status))
        return remote_fail(fault, helper, "Credential helper was killed");
    (void)snprintf(why, sizeof why, "Credential helper failed with exit code %d",
                   WEXITSTATUS(status));
    return WEXITSTATUS(status) == 0 || remote_fail(fault, helper, why);
}

static bool ask_helper(const char *helper, const char *id, struct arena *arena, const char **out,
                       struct remote_fault *fault)
{
    CLEANUP(os_closep) int end = -1;
    pid_t pid = start_helper(helper, "show", id, false, &end);
    struct bytes text;
    struct err err;

    if (pid < 0)
        return remote_fail(fault, helper, os_strerror(errno));
    bool is_read = os_read_fd(end, CREDENTIAL_MAX, arena, &text, &err);
    os_closep(&end);
    end = -1;
    return end_helper(pid, helper, fault) && (is_read ? read_token(text, helper, arena, out, fault)
                                                      : remote_fail_err(fault, helper, &err));
}

static bool tell_helper(const char *helper, const char *id, const char *token,
                        struct remote_fault *fault)
{
    struct sigaction old;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    CLEANUP(os_closep) int end = -1;
    struct err err;

    (void)sigaction(SIGPIPE, &ignore, &old); /* one that does not read says by its status why */
    pid_t pid = start_helper(helper, "insert", id, true, &end);
    if (pid < 0)
        return remote_fail(fault, helper, os_strerror(errno));
    bool is_told = os_write_fd(end, bytes_of(token), &err);
    os_closep(&end);
    end = -1;
    (void)sigaction(SIGPIPE, &old, NULL);
    return end_helper(pid, helper, fault) && (is_told || remote_fail_err(fault, helper, &err));
}

/* ---- both ways ---- */

bool credential_find(const struct credential_source *source, struct bytes host, struct arena *arena,
                     const char **out, struct remote_fault *fault)
{
    const char *path;

    *out = NULL;
    if (source->token != NULL)
        return read_token(bytes_of(source->token), "--insecure-auth-token", arena, out, fault);
    if (source->token_file != NULL)
        return read_file(source->token_file, false, arena, out, fault);
    if (source->helper != NULL) {
        const char *id;
        return write_id(source, host, arena, &id, fault) &&
               ask_helper(source->helper, id, arena, out, fault);
    }
    /* without a home there is no file */
    return !credential_path(source, host, arena, &path, fault) ||
           read_file(path, true, arena, out, fault);
}

/* Makes the folders above a file, for the user alone. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!ok)
            return false;
    }
    return true;
}

static bool write_file(const char *path, const char *token, struct arena *arena,
                       struct remote_fault *fault)
{
    const char *fresh = join(arena, path, ".new"), *own = join(arena, path, "");
    struct err err;

    if (fresh == NULL || own == NULL)
        return remote_fail(fault, path, "no memory");
    if (!make_folders((char *)(uintptr_t)own))
        return remote_fail(fault, path, os_strerror(errno));
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return remote_fail(fault, fresh, os_strerror(errno));
    bool ok = os_write_fd(fd, bytes_of(token), &err) && os_write_fd(fd, bytes_of("\n"), &err);
    os_closep(&fd);
    if (!ok)
        return remote_fail_err(fault, fresh, &err);
    return rename(fresh, path) == 0 || remote_fail(fault, path, os_strerror(errno));
}

bool credential_keep(const struct credential_source *source, struct bytes host, const char *token,
                     struct arena *arena, struct remote_fault *fault)
{
    const char *name;

    if (source->helper != NULL)
        return write_id(source, host, arena, &name, fault) &&
               tell_helper(source->helper, name, token, fault);
    return credential_path(source, host, arena, &name, fault) &&
           write_file(name, token, arena, fault);
}
