/* What a POSIX program does with files, in /tmp, each step checked by asking again another way.
 * Ends with 1 and the line that failed, or prints what tests/e2e/test_programs.py compares. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static _Noreturn void fail(int line, const char *what)
{
    printf("line %d: %s, errno %d (%s)\n", line, what, errno, strerror(errno));
    exit(1);
}

#define CHECK(condition)                \
    do {                                \
        if (!(condition))               \
            fail(__LINE__, #condition); \
    } while (0)

#define REFUSED(call, why) CHECK((call) == -1 && errno == (why))

static off_t size_of(const char *path)
{
    struct stat st;

    CHECK(stat(path, &st) == 0);
    return st.st_size;
}

/* stdio: what is written is there, at every position, after every way of opening. */
static void stdio(void)
{
    char line[64];
    FILE *f = fopen("/tmp/log", "w");

    CHECK(f != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(fprintf(f, "line %03d\n", i) == 9);
    CHECK(fclose(f) == 0 && size_of("/tmp/log") == 9000);
    f = fopen("/tmp/log", "a+");
    CHECK(f != NULL && fputs("the end\n", f) >= 0 && fseek(f, 9 * 500, SEEK_SET) == 0);
    CHECK(fgets(line, sizeof line, f) != NULL && strcmp(line, "line 500\n") == 0);
    CHECK(fseek(f, -8, SEEK_END) == 0 && fgets(line, sizeof line, f) != NULL);
    CHECK(strcmp(line, "the end\n") == 0 && fgets(line, sizeof line, f) == NULL && feof(f));
    CHECK(fclose(f) == 0);
    f = fopen("/tmp/log", "r+");
    CHECK(f != NULL && fwrite("LINE", 1, 4, f) == 4 && fflush(f) == 0);
    CHECK(fseek(f, 0, SEEK_SET) == 0 && fgets(line, sizeof line, f) != NULL);
    CHECK(strcmp(line, "LINE 000\n") == 0 && fclose(f) == 0);
    f = fopen("/tmp/log", "w");
    CHECK(f != NULL && fclose(f) == 0 && size_of("/tmp/log") == 0);
    CHECK(fopen("/tmp/log", "wx") == NULL && errno == EEXIST);
    CHECK(fopen("/tmp/none", "r") == NULL && errno == ENOENT);
    CHECK(unlink("/tmp/log") == 0);
    puts("stdio");
}

/* Descriptors: holes, positions, vectors, truncation, a file without a name. */
static void descriptors(void)
{
    char buffer[16] = {0};
    struct iovec out[2] = {{"ab", 2}, {"cde", 3}}, in[2] = {{buffer, 3}, {buffer + 3, 10}};
    int fd = open("/tmp/data", O_RDWR | O_CREAT | O_EXCL, 0600);

    CHECK(fd >= 0 && writev(fd, out, 2) == 5);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, in, 2) == 5 && memcmp(buffer, "abcde", 5) == 0);
    CHECK(pwrite(fd, "X", 1, 100) == 1 && lseek(fd, 0, SEEK_CUR) == 5);
    CHECK(lseek(fd, 0, SEEK_END) == 101);
    CHECK(pread(fd, buffer, 4, 98) == 3 && memcmp(buffer, "\0\0X", 3) == 0);
    CHECK(ftruncate(fd, 3) == 0 && size_of("/tmp/data") == 3);
    CHECK(ftruncate(fd, 200) == 0 && pread(fd, buffer, 1, 199) == 1 && buffer[0] == 0);
    CHECK(pread(fd, buffer, 1, 200) == 0);
    CHECK(unlink("/tmp/data") == 0 && access("/tmp/data", F_OK) == -1);
    CHECK(pwrite(fd, "still here", 10, 0) == 10 && pread(fd, buffer, 10, 0) == 10);
    CHECK(memcmp(buffer, "still here", 10) == 0);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(write(fd, "!", 1) == 1 && lseek(fd, 0, SEEK_END) == 201 && close(fd) == 0);
    REFUSED(write(fd, "x", 1), EBADF);
    REFUSED(close(fd), EBADF);
    puts("descriptors");
}

/* Names: rename over, hard links, symbolic links and their loops. */
static void names(void)
{
    struct stat a, b;
    char target[32];
    FILE *f;

    CHECK((f = fopen("/tmp/one", "w")) != NULL && fputs("1", f) >= 0 && fclose(f) == 0);
    CHECK((f = fopen("/tmp/two", "w")) != NULL && fputs("22", f) >= 0 && fclose(f) == 0);
    CHECK(link("/tmp/one", "/tmp/uno") == 0 && stat("/tmp/one", &a) == 0 &&
          stat("/tmp/uno", &b) == 0);
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev && b.st_nlink == 2);
    CHECK(rename("/tmp/two", "/tmp/one") == 0 && size_of("/tmp/one") == 2 &&
          size_of("/tmp/uno") == 1);
    CHECK(stat("/tmp/uno", &b) == 0 && b.st_nlink == 1);
    CHECK(access("/tmp/two", F_OK) == -1 && errno == ENOENT);
    CHECK(symlink("one", "/tmp/eins") == 0 && size_of("/tmp/eins") == 2);
    CHECK(lstat("/tmp/eins", &a) == 0 && S_ISLNK(a.st_mode));
    CHECK(readlink("/tmp/eins", target, sizeof target) == 3 && memcmp(target, "one", 3) == 0);
    CHECK(symlink("loop", "/tmp/loop") == 0);
    REFUSED(open("/tmp/loop", O_RDONLY), ELOOP);
    CHECK(mkdir("/tmp/dir", 0700) == 0 && rename("/tmp/one", "/tmp/dir/one") == 0);
    CHECK(stat("/tmp/eins", &a) == -1 && errno == ENOENT && size_of("/tmp/dir/one") == 2);
    REFUSED(rmdir("/tmp/dir"), ENOTEMPTY);
    REFUSED(unlink("/tmp/none"), ENOENT);
    REFUSED(mkdir("/tmp/dir", 0700), EEXIST);
    REFUSED(open("/tmp/dir/one/x", O_RDONLY), ENOTDIR);
    CHECK(rename("/tmp/dir", "/tmp/folder") == 0 && size_of("/tmp/folder/../folder/./one") == 2);
    CHECK(unlink("/tmp/folder/one") == 0 && rmdir("/tmp/folder") == 0);
    CHECK(unlink("/tmp/eins") == 0 && unlink("/tmp/loop") == 0 && unlink("/tmp/uno") == 0);
    puts("names");
}

/* A directory of many names: each is read once, also when read again from a place in the middle. */
static void directories(void)
{
    enum { COUNT = 500 };
    static bool seen[COUNT];
    struct dirent *entry;
    char path[64];
    long middle = 0;
    int count = 0, after = 0, i;
    DIR *dir;

    CHECK(mkdir("/tmp/many", 0700) == 0);
    for (i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/tmp/many/a-name-of-some-length-%d", i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    CHECK((dir = opendir("/tmp/many")) != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (sscanf(entry->d_name, "a-name-of-some-length-%d", &i) != 1)
            continue;
        CHECK(i >= 0 && i < COUNT && !seen[i] && entry->d_type == DT_REG);
        seen[i] = true;
        if (++count == COUNT / 2)
            middle = telldir(dir);
    }
    CHECK(count == COUNT);
    seekdir(dir, middle);
    while (readdir(dir) != NULL)
        after++;
    CHECK(after >= COUNT - COUNT / 2 && after <= COUNT - COUNT / 2 + 2 && closedir(dir) == 0);
    CHECK(chdir("/tmp/many") == 0);
    for (i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "a-name-of-some-length-%d", i);
        CHECK(unlink(path) == 0);
    }
    CHECK(chdir("/") == 0 && rmdir("/tmp/many") == 0);
    printf("directories %d\n", count);
}

/* The package is there and cannot be changed; nor is there a way out of it. */
static void package(void)
{
    REFUSED(open("/main.wasm", O_WRONLY), EROFS);
    REFUSED(open("/new", O_WRONLY | O_CREAT, 0600), EROFS);
    REFUSED(unlink("/main.wasm"), EROFS);
    REFUSED(mkdir("/sub", 0700), EROFS);
    REFUSED(open("/../../main.wasm", O_RDONLY), EPERM);
    printf("package %lld\n", (long long)size_of("/main.wasm"));
}

static void devices(void)
{
    unsigned char a[64], b[64], zero[64] = {0};
    struct stat st;
    int fd = open("/dev/zero", O_RDONLY);

    memset(a, 1, sizeof a);
    CHECK(fd >= 0 && read(fd, a, sizeof a) == sizeof a && memcmp(a, zero, sizeof a) == 0);
    CHECK(close(fd) == 0 && (fd = open("/dev/urandom", O_RDONLY)) >= 0);
    CHECK(read(fd, a, sizeof a) == sizeof a && read(fd, b, sizeof b) == sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0 && close(fd) == 0);
    CHECK((fd = open("/dev/null", O_RDWR)) >= 0 && write(fd, a, sizeof a) == sizeof a);
    CHECK(read(fd, a, sizeof a) == 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
          close(fd) == 0);
    puts("devices");
}

/* For each number that is asked for, so many files that come and go, under several names. */
static void soak(void)
{
    char path[32], moved[32], linked[32], line[32];

    while (fgets(line, sizeof line, stdin) != NULL) {
        long count = strtol(line, NULL, 10);
        for (long i = 0; i < count; i++) {
            snprintf(path, sizeof path, "/tmp/file-%ld", i);
            snprintf(moved, sizeof moved, "/tmp/moved-%ld", i);
            snprintf(linked, sizeof linked, "/tmp/link-%ld", i);
            int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
            CHECK(fd >= 0 && write(fd, path, sizeof path) == sizeof path);
            CHECK(rename(path, moved) == 0 && symlink(moved + 5, linked) == 0);
            int again = open(linked, O_RDONLY);
            CHECK(again >= 0 && read(again, line, sizeof line) == sizeof path);
            CHECK(strcmp(line, path) == 0 && unlink(moved) == 0 && unlink(linked) == 0);
            CHECK(open(linked, O_RDONLY) == -1 && close(fd) == 0 && close(again) == 0);
        }
        printf("%ld\n", count);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "soak") == 0) {
        soak();
        return 0;
    }
    stdio();
    descriptors();
    names();
    directories();
    if (argc < 2 || strcmp(argv[1], "no-package") != 0) {
        package();
        devices();
    }
    return 0;
}
