/* Stands between a program and the disk (LD_PRELOAD): counts, breaks or records what happens to the files below one folder.

   shim_watch(folder)        which files; nothing happens before
   shim_break(n, how)        at the n-th call: 1 die, 2 write half and die, 3 fail with ENOSPC, 4 fail with EIO; 0 only counts
   shim_only(word)           count only calls whose file or name has this word in it; NULL for all
   shim_count()              how many calls there were
   shim_what()               name and file of the call that was broken
   shim_record(fd)           write every change to a log, for power-cut images
   shim_note(n)              write a number into that log

   Calls on the log's index (-shm) are counted but not recorded: SQLite makes it anew. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { DIE = 1, TEAR = 2, FULL = 3, BREAK = 4 };

static char folder[PATH_MAX];
static char only[64];
static long counted, target;
static int how, log_fd = -1;
static char what[PATH_MAX + 64];

void shim_watch(const char *path) { snprintf(folder, sizeof folder, "%s", path); }
void shim_break(long n, int mode) { counted = 0; target = n; how = mode; what[0] = 0; }
void shim_only(const char *word) { snprintf(only, sizeof only, "%s", word); }
long shim_count(void) { return counted; }
const char *shim_what(void) { return what; }
void shim_record(int fd) { log_fd = fd; }

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static int is_ours(const char *path) { return folder[0] && strncmp(path, folder, strlen(folder)) == 0; }

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

static void put(const void *data, size_t size) {
    static ssize_t (*plain)(int, const void *, size_t);
    if (!plain) plain = REAL(write);
    plain(log_fd, data, size);
}

/* A record: op, three numbers, the path, the data. */
static void record(char op, const char *path, int64_t offset, const void *data, int64_t size) {
    if (log_fd < 0 || strstr(path, "-shm")) return;
    int64_t length = strlen(path);
    put(&op, 1);
    put(&offset, 8);
    put(&length, 8);
    put(&size, 8);
    put(path, length);
    if (size) put(data, size);
}

void shim_note(long n) {
    if (log_fd >= 0) record('a', "", n, NULL, 0);
}

/* What is to become of this call: 0 nothing special, else a mode. */
static int fate(const char *name, const char *path) {
    if (only[0] && !strstr(path, only) && !strstr(name, only)) return 0;
    if (++counted != target) return 0;
    snprintf(what, sizeof what, "%s %s", name, path + strlen(folder));
    if (how == DIE) kill(getpid(), SIGKILL);
    return how;
}

static int failed(int mode) {
    errno = mode == FULL ? ENOSPC : EIO;
    return -1;
}

static ssize_t changed(const char *name, int fd, const void *data, size_t size, int64_t offset, ssize_t (*really)(int, const void *, size_t, int64_t)) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return really(fd, data, size, offset);
    int mode = fate(name, path);
    if (mode == TEAR) {
        really(fd, data, size / 2, offset);
        kill(getpid(), SIGKILL);
    }
    if (mode) return failed(mode);
    int64_t place = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);
    ssize_t done = really(fd, data, size, offset);
    if (done > 0) record('w', path, place, data, done);
    return done;
}

static ssize_t really_pwrite(int fd, const void *data, size_t size, int64_t offset) { return REAL(pwrite64)(fd, data, size, offset); }
static ssize_t really_write(int fd, const void *data, size_t size, int64_t offset) { (void)offset; return REAL(write)(fd, data, size); }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return changed("pwrite", fd, data, size, offset, really_pwrite); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return changed("pwrite", fd, data, size, offset, really_pwrite); }
ssize_t write(int fd, const void *data, size_t size) { return changed("write", fd, data, size, -1, really_write); }

static int synced(const char *name, int fd, int (*really)(int)) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return really(fd);
    int mode = fate(name, path);
    if (mode == TEAR) kill(getpid(), SIGKILL);
    if (mode) return failed(mode);
    int done = really(fd);
    if (done == 0) record('s', path, 0, NULL, 0);
    return done;
}

int fsync(int fd) { return synced("fsync", fd, REAL(fsync)); }
int fdatasync(int fd) { return synced("fdatasync", fd, REAL(fdatasync)); }

static int cut(int fd, int64_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(ftruncate64)(fd, size);
    int mode = fate("ftruncate", path);
    if (mode == TEAR) kill(getpid(), SIGKILL);
    if (mode) return failed(mode);
    int done = REAL(ftruncate64)(fd, size);
    if (done == 0) record('t', path, size, NULL, 0);
    return done;
}

int ftruncate64(int fd, off64_t size) { return cut(fd, size); }
int ftruncate(int fd, off_t size) { return cut(fd, size); }

static int opened(const char *path, int flags, mode_t mode, int (*really)(const char *, int, ...)) {
    int changes = is_ours(path) && flags & (O_CREAT | O_TRUNC);
    int fate_of = changes ? fate("open", path) : 0;
    if (fate_of == TEAR) kill(getpid(), SIGKILL);
    if (fate_of) return failed(fate_of);
    int fd = really(path, flags, mode);
    if (changes && fd >= 0) record(flags & O_TRUNC ? 't' : 'c', path, 0, NULL, 0);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & O_CREAT) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(path, flags, mode, REAL(open)); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(path, flags, mode, REAL(open64)); }

int rename(const char *from, const char *to) {
    if (!is_ours(from)) return REAL(rename)(from, to);
    int mode = fate("rename", from);
    if (mode == TEAR) kill(getpid(), SIGKILL);
    if (mode) return failed(mode);
    int done = REAL(rename)(from, to);
    if (done == 0) record('r', from, 0, to, strlen(to));
    return done;
}

int unlink(const char *path) {
    if (!is_ours(path)) return REAL(unlink)(path);
    int mode = fate("unlink", path);
    if (mode == TEAR) kill(getpid(), SIGKILL);
    if (mode) return failed(mode);
    int done = REAL(unlink)(path);
    if (done == 0) record('u', path, 0, NULL, 0);
    return done;
}
