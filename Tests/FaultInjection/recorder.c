// Preloaded into a program (LD_PRELOAD): records what it does to the files below a folder, and answers one of its calls with
// an error where that is asked for. scripts/fault-test builds and uses it.
//
//   FAULT_ROOT     the folder, an absolute path without symbolic links
//   FAULT_LOG      where the record goes: lines of fields between tabs; where the last one, a count, is not 0, so many bytes
//                  and a newline follow
//   FAULT_ERROR    ENOSPC or EIO: the chosen call fails; SHORT: it writes half; FULL: it fails with ENOSPC, and so does
//                  every later call that takes space
//   FAULT_CALL, FAULT_PATH, FAULT_NTH     which one: the name of the call, a pattern (fnmatch) of the path below the root,
//                  and which of those that fit, from 1
//
// A call that changes files and is not understood here is recorded as `unsupported`: scripts/fault-test then fails.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_DESCRIPTOR = 65536 };

static char root[PATH_MAX];
static size_t root_length;
static int log_descriptor = -1;
static const char *fault_error, *fault_call, *fault_path;
static int fault_nth = 1, matches = 0, is_full = 0;
// The path below the root that a descriptor was opened with; NULL: it is of no interest.
static char *opened[MAX_DESCRIPTOR];
// Held over a call and its record, so that the record has the order in which things happened.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define NEXT(name) ((__typeof__(&name))next_symbol(#name))
static void *next_symbol(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    return symbol;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULT_ROOT"), *file = getenv("FAULT_LOG");
    // Programs that this one starts are not recorded.
    unsetenv("LD_PRELOAD");
    if (!folder || !file) return;
    log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_descriptor < 0) abort();
    root_length = strlen(folder);
    if (root_length >= sizeof root) abort();
    memcpy(root, folder, root_length + 1);
    fault_error = getenv("FAULT_ERROR");
    fault_call = getenv("FAULT_CALL");
    fault_path = getenv("FAULT_PATH");
    if (getenv("FAULT_NTH")) fault_nth = atoi(getenv("FAULT_NTH"));
}

// The path below the root, "." for itself; NULL: it lies elsewhere.
static const char *inside(int folder, const char *path, char *buffer) {
    if (log_descriptor < 0 || !path) return NULL;
    char whole[2 * PATH_MAX] = "";
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(whole, PATH_MAX)) return NULL;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, whole, PATH_MAX - 1);
            if (length < 0) return NULL;
            whole[length] = 0;
        }
        strcat(whole, "/");
    }
    strncat(whole, path, PATH_MAX - 1);
    // Empty parts, "." and ".." go; links inside the folder are none of the program's making.
    char *end = buffer;
    char *save = NULL;
    *end = 0;
    for (char *part = strtok_r(whole, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (!strcmp(part, ".")) continue;
        if (!strcmp(part, "..")) {
            while (end > buffer && *--end != '/') {}
            *end = 0;
            continue;
        }
        end += sprintf(end, "/%s", part);
    }
    if (strncmp(buffer, root, root_length)) return NULL;
    if (!buffer[root_length]) return ".";
    return buffer[root_length] == '/' ? buffer + root_length + 1 : NULL;
}

static const char *path_of(int descriptor) {
    return log_descriptor >= 0 && descriptor >= 0 && descriptor < MAX_DESCRIPTOR ? opened[descriptor] : NULL;
}

static void put(const void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        long written = syscall(SYS_write, log_descriptor, (const char *)bytes + done, count - done);
        if (written <= 0) abort();
        done += (size_t)written;
    }
}

static void record(const char *call, const char *path, const char *other, long first, long second, const void *bytes,
                   size_t count) {
    int kept = errno;
    char line[3 * PATH_MAX];
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t%ld\t%zu\n", call, path, other ? other : "", first, second,
                          bytes ? count : 0);
    put(line, (size_t)length);
    if (bytes && count) {
        put(bytes, count);
        put("\n", 1);
    }
    errno = kept;
}

static int takes_space(const char *call) {
    return !strcmp(call, "write") || !strcmp(call, "open") || !strcmp(call, "mkdir") || !strcmp(call, "allocate");
}

// Whether a call is to fail, with errno set; `*count` is halved where it is to be a short one.
static int fails(const char *call, const char *path, size_t *count) {
    if (!fault_error || !path) return 0;
    if (is_full && takes_space(call)) {
        errno = ENOSPC;
        return 1;
    }
    if (strcmp(call, fault_call) || fnmatch(fault_path, path, 0) || ++matches != fault_nth) return 0;
    record("fault", path, call, 0, 0, NULL, 0);
    if (!strcmp(fault_error, "SHORT")) {
        if (count && *count > 1) *count /= 2;
        return 0;
    }
    is_full = !strcmp(fault_error, "FULL");
    errno = !strcmp(fault_error, "EIO") ? EIO : ENOSPC;
    return 1;
}

#define ENTER pthread_mutex_lock(&lock)
#define LEAVE pthread_mutex_unlock(&lock)

static void remember(int descriptor, const char *path) {
    if (descriptor < 0 || descriptor >= MAX_DESCRIPTOR) return;
    free(opened[descriptor]);
    opened[descriptor] = path ? strdup(path) : NULL;
}

// MARK: Opening and closing

static int open_any(int folder, const char *path, int flags, mode_t mode) {
    static int (*next)(int, const char *, int, ...);
    if (!next) next = NEXT(openat);
    char buffer[2 * PATH_MAX];
    const char *rel = inside(folder, path, buffer);
    if (!rel) return next(folder, path, flags, mode);
    ENTER;
    struct stat status;
    int is_new = (flags & O_CREAT) && fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
    int descriptor = is_new && fails("open", rel, NULL) ? -1 : next(folder, path, flags, mode);
    if (descriptor >= 0) {
        remember(descriptor, rel);
        if (flags & O_TMPFILE & ~O_DIRECTORY) record("unsupported", rel, "O_TMPFILE", 0, 0, NULL, 0);
        record("open", rel, NULL, descriptor, is_new | ((flags & O_TRUNC) ? 2 : 0), NULL, 0);
    }
    LEAVE;
    return descriptor;
}

static mode_t mode_of(int flags, va_list list) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(list, int) : 0;
}

#define OPEN(name)                                                                                                             \
    int name(const char *path, int flags, ...) {                                                                               \
        va_list list;                                                                                                          \
        va_start(list, flags);                                                                                                 \
        mode_t mode = mode_of(flags, list);                                                                                    \
        va_end(list);                                                                                                          \
        return open_any(AT_FDCWD, path, flags, mode);                                                                          \
    }
#define OPENAT(name)                                                                                                           \
    int name(int folder, const char *path, int flags, ...) {                                                                   \
        va_list list;                                                                                                          \
        va_start(list, flags);                                                                                                 \
        mode_t mode = mode_of(flags, list);                                                                                    \
        va_end(list);                                                                                                          \
        return open_any(folder, path, flags, mode);                                                                            \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static int temporary(char *template, int suffix, int flags) {
    static int (*next)(char *, int, int);
    if (!next) next = NEXT(mkostemps);
    char buffer[2 * PATH_MAX];
    const char *rel = inside(AT_FDCWD, template, buffer);
    if (!rel) return next(template, suffix, flags);
    ENTER;
    int descriptor = fails("open", rel, NULL) ? -1 : next(template, suffix, flags);
    if (descriptor >= 0) {
        rel = inside(AT_FDCWD, template, buffer);
        remember(descriptor, rel);
        record("open", rel, NULL, descriptor, 1, NULL, 0);
    }
    LEAVE;
    return descriptor;
}
int mkstemp(char *template) { return temporary(template, 0, 0); }
int mkstemp64(char *template) { return temporary(template, 0, 0); }
int mkostemp(char *template, int flags) { return temporary(template, 0, flags); }
int mkostemp64(char *template, int flags) { return temporary(template, 0, flags); }
int mkstemps(char *template, int suffix) { return temporary(template, suffix, 0); }
int mkstemps64(char *template, int suffix) { return temporary(template, suffix, 0); }
int mkostemps(char *template, int suffix, int flags) { return temporary(template, suffix, flags); }
int mkostemps64(char *template, int suffix, int flags) { return temporary(template, suffix, flags); }

int close(int descriptor) {
    static int (*next)(int);
    if (!next) next = NEXT(close);
    if (!path_of(descriptor)) return next(descriptor);
    ENTER;
    record("close", opened[descriptor], NULL, descriptor, 0, NULL, 0);
    remember(descriptor, NULL);
    int result = next(descriptor);
    LEAVE;
    return result;
}

static int duplicated(int from, int to) {
    if (to >= 0 && path_of(from)) {
        record("duplicate", opened[from], NULL, from, to, NULL, 0);
        remember(to, opened[from]);
    }
    return to;
}
int dup(int descriptor) { return duplicated(descriptor, NEXT(dup)(descriptor)); }
int dup2(int from, int to) { return duplicated(from, NEXT(dup2)(from, to)); }
int dup3(int from, int to, int flags) { return duplicated(from, NEXT(dup3)(from, to, flags)); }

#define FCNTL(name)                                                                                                            \
    int name(int descriptor, int command, ...) {                                                                               \
        static int (*next)(int, int, ...);                                                                                     \
        if (!next) next = (int (*)(int, int, ...))next_symbol(#name);                                                          \
        va_list list;                                                                                                          \
        va_start(list, command);                                                                                               \
        void *argument = va_arg(list, void *);                                                                                 \
        va_end(list);                                                                                                          \
        int result = next(descriptor, command, argument);                                                                      \
        return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? duplicated(descriptor, result) : result;                     \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

// MARK: Writing

static ssize_t write_any(int descriptor, const void *bytes, size_t count, off_t offset, int is_positioned) {
    static ssize_t (*plain)(int, const void *, size_t);
    static ssize_t (*positioned)(int, const void *, size_t, off_t);
    if (!plain) {
        positioned = NEXT(pwrite);
        plain = NEXT(write);
    }
    const char *path = path_of(descriptor);
    if (!path) return is_positioned ? positioned(descriptor, bytes, count, offset) : plain(descriptor, bytes, count);
    ENTER;
    ssize_t written = -1;
    if (!fails("write", path, &count)) {
        if (!is_positioned) {
            int flags = NEXT(fcntl)(descriptor, F_GETFL);
            offset = lseek(descriptor, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
        }
        written = is_positioned ? positioned(descriptor, bytes, count, offset) : plain(descriptor, bytes, count);
        if (written > 0) record("write", path, NULL, descriptor, (long)offset, bytes, (size_t)written);
    }
    LEAVE;
    return written;
}
ssize_t write(int descriptor, const void *bytes, size_t count) { return write_any(descriptor, bytes, count, 0, 0); }
ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return write_any(descriptor, bytes, count, offset, 1);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    return write_any(descriptor, bytes, count, offset, 1);
}

static int truncate_descriptor(int descriptor, off_t length) {
    static int (*next)(int, off_t);
    if (!next) next = NEXT(ftruncate);
    const char *path = path_of(descriptor);
    if (!path) return next(descriptor, length);
    ENTER;
    int result = fails("truncate", path, NULL) ? -1 : next(descriptor, length);
    if (!result) record("truncate", path, NULL, descriptor, (long)length, NULL, 0);
    LEAVE;
    return result;
}
int ftruncate(int descriptor, off_t length) { return truncate_descriptor(descriptor, length); }
int ftruncate64(int descriptor, off64_t length) { return truncate_descriptor(descriptor, length); }

static int synchronize(int descriptor, int (*next)(int)) {
    const char *path = path_of(descriptor);
    if (!path) return next(descriptor);
    ENTER;
    int result = fails("fsync", path, NULL) ? -1 : next(descriptor);
    if (!result) record("fsync", path, NULL, descriptor, 0, NULL, 0);
    LEAVE;
    return result;
}
int fsync(int descriptor) { return synchronize(descriptor, NEXT(fsync)); }
int fdatasync(int descriptor) { return synchronize(descriptor, NEXT(fdatasync)); }

// MARK: Names

static int rename_any(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    static int (*next)(int, const char *, int, const char *, unsigned);
    if (!next) next = NEXT(renameat2);
    char first[2 * PATH_MAX], second[2 * PATH_MAX];
    const char *old = inside(from_folder, from, first), *new = inside(to_folder, to, second);
    if (!old && !new) return next(from_folder, from, to_folder, to, flags);
    ENTER;
    int result = fails("rename", new ? new : old, NULL) ? -1 : next(from_folder, from, to_folder, to, flags);
    if (!result) {
        if (!old || !new || (flags & ~1u)) record("unsupported", old ? old : new, "rename", 0, (long)flags, NULL, 0);
        else record("rename", old, new, 0, 0, NULL, 0);
    }
    LEAVE;
    return result;
}
int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return rename_any(from_folder, from, to_folder, to, 0);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    return rename_any(from_folder, from, to_folder, to, flags);
}

static int unlink_any(int folder, const char *path, int flags) {
    static int (*next)(int, const char *, int);
    if (!next) next = NEXT(unlinkat);
    char buffer[2 * PATH_MAX];
    const char *rel = inside(folder, path, buffer);
    if (!rel) return next(folder, path, flags);
    ENTER;
    int result = fails("unlink", rel, NULL) ? -1 : next(folder, path, flags);
    if (!result) record("unlink", rel, NULL, flags & AT_REMOVEDIR ? 1 : 0, 0, NULL, 0);
    LEAVE;
    return result;
}
int unlink(const char *path) { return unlink_any(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return unlink_any(folder, path, flags); }
int rmdir(const char *path) { return unlink_any(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0) return -1;
    return unlink_any(AT_FDCWD, path, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
}

static int mkdir_any(int folder, const char *path, mode_t mode) {
    static int (*next)(int, const char *, mode_t);
    if (!next) next = NEXT(mkdirat);
    char buffer[2 * PATH_MAX];
    const char *rel = inside(folder, path, buffer);
    if (!rel) return next(folder, path, mode);
    ENTER;
    struct stat status;
    int is_new = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
    int result = is_new && fails("mkdir", rel, NULL) ? -1 : next(folder, path, mode);
    if (!result) record("mkdir", rel, NULL, 0, 0, NULL, 0);
    LEAVE;
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdir_any(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return mkdir_any(folder, path, mode); }

// MARK: What the program is not expected to do

#define BY_DESCRIPTOR(result, name, parameters, arguments, descriptor)                                                         \
    result name parameters {                                                                                                   \
        if (path_of(descriptor)) record("unsupported", opened[descriptor], #name, 0, 0, NULL, 0);                              \
        return NEXT(name) arguments;                                                                                           \
    }
BY_DESCRIPTOR(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), fd)
BY_DESCRIPTOR(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at), fd)
BY_DESCRIPTOR(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at), fd)
BY_DESCRIPTOR(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t at, int flags),
              (fd, parts, count, at, flags), fd)
BY_DESCRIPTOR(int, fallocate, (int fd, int mode, off_t at, off_t count), (fd, mode, at, count), fd)
BY_DESCRIPTOR(int, fallocate64, (int fd, int mode, off64_t at, off64_t count), (fd, mode, at, count), fd)
BY_DESCRIPTOR(int, posix_fallocate, (int fd, off_t at, off_t count), (fd, at, count), fd)
BY_DESCRIPTOR(int, posix_fallocate64, (int fd, off64_t at, off64_t count), (fd, at, count), fd)
BY_DESCRIPTOR(int, sync_file_range, (int fd, off64_t at, off64_t count, unsigned flags), (fd, at, count, flags), fd)
BY_DESCRIPTOR(int, syncfs, (int fd), (fd), fd)
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *target, size_t count, unsigned flags) {
    if (path_of(to)) record("unsupported", opened[to], "copy_file_range", 0, 0, NULL, 0);
    return NEXT(copy_file_range)(from, at, to, target, count, flags);
}
ssize_t sendfile(int to, int from, off_t *at, size_t count) {
    static ssize_t (*next)(int, int, off_t *, size_t);
    if (!next) next = (ssize_t(*)(int, int, off_t *, size_t))next_symbol("sendfile");
    if (path_of(to)) record("unsupported", opened[to], "sendfile", 0, 0, NULL, 0);
    return next(to, from, at, count);
}

#define BY_PATH(result, name, parameters, arguments, path)                                                                     \
    result name parameters {                                                                                                   \
        char buffer[2 * PATH_MAX];                                                                                             \
        const char *rel = inside(AT_FDCWD, path, buffer);                                                                      \
        if (rel) record("unsupported", rel, #name, 0, 0, NULL, 0);                                                             \
        return NEXT(name) arguments;                                                                                           \
    }
BY_PATH(int, truncate, (const char *path, off_t length), (path, length), path)
BY_PATH(int, truncate64, (const char *path, off64_t length), (path, length), path)
BY_PATH(int, link, (const char *from, const char *to), (from, to), to)
BY_PATH(int, symlink, (const char *target, const char *path), (target, path), path)
BY_PATH(char *, mkdtemp, (char *template), (template), template)

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char buffer[2 * PATH_MAX];
    const char *rel = inside(to_folder, to, buffer);
    if (rel) record("unsupported", rel, "linkat", 0, 0, NULL, 0);
    return NEXT(linkat)(from_folder, from, to_folder, to, flags);
}
int symlinkat(const char *target, int folder, const char *path) {
    char buffer[2 * PATH_MAX];
    const char *rel = inside(folder, path, buffer);
    if (rel) record("unsupported", rel, "symlinkat", 0, 0, NULL, 0);
    return NEXT(symlinkat)(target, folder, path);
}

static FILE *stream(const char *path, const char *mode, FILE *(*next)(const char *, const char *)) {
    char buffer[2 * PATH_MAX];
    const char *rel = mode && strpbrk(mode, "wa+") ? inside(AT_FDCWD, path, buffer) : NULL;
    if (rel) record("unsupported", rel, "fopen", 0, 0, NULL, 0);
    return next(path, mode);
}
FILE *fopen(const char *path, const char *mode) { return stream(path, mode, NEXT(fopen)); }
FILE *fopen64(const char *path, const char *mode) { return stream(path, mode, NEXT(fopen64)); }

static void *map(void *address, size_t size, int protection, int flags, int descriptor, off_t offset,
                 void *(*next)(void *, size_t, int, int, int, off_t)) {
    if ((flags & MAP_SHARED) && (protection & PROT_WRITE) && path_of(descriptor))
        record("unsupported", opened[descriptor], "mmap", 0, 0, NULL, 0);
    return next(address, size, protection, flags, descriptor, offset);
}
void *mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (!next) next = NEXT(mmap);
    return map(address, size, protection, flags, descriptor, offset, next);
}
void *mmap64(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (!next) next = NEXT(mmap);
    return map(address, size, protection, flags, descriptor, offset, next);
}
