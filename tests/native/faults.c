/* Preloaded into a program: the FAULT_AT-th system call that writes below FAULT_ROOT does not happen.
 *
 * FAULT_KIND: `kill` ends the process there with SIGKILL, a number makes the call fail with that errno, `count` lets all
 * happen. The count, FAULT_COUNTER, is a file of 8 bytes that all processes share. FAULT_TRACE, where given, gets a line of
 * each call: its number, its name, its path. What the C library's own streams write is seen as they are opened. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long *counter;
static long at;
static int error; /* 0: count, -1: kill */
static const char *root;
static const char *trace;

__attribute__((constructor)) static void start(void) {
  const char *file = getenv("FAULT_COUNTER"), *kind = getenv("FAULT_KIND");
  root = getenv("FAULT_ROOT");
  if (!file || !kind || !root) return;
  int (*really_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  int fd = really_open(file, O_RDWR);
  if (fd < 0) return;
  void *memory = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return;
  at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
  error = !strcmp(kind, "kill") ? -1 : atoi(kind);
  counter = memory;
  trace = getenv("FAULT_TRACE");
}

/* Whether this call is the one. */
static int strikes(const char *call, const char *path) {
  if (!counter || strncmp(path, root, strlen(root))) return 0;
  long number = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
  if (trace) {
    /* Not kept open: a program may close what it did not open, and its next file has the number. */
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    int fd = (int)syscall(SYS_open, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
      syscall(SYS_write, fd, line, (size_t)length);
      syscall(SYS_close, fd);
    }
  }
  if (number != at || !error) return 0;
  if (error == -1) kill(getpid(), SIGKILL);
  errno = error;
  return 1;
}

static int strikes_fd(const char *call, int fd) {
  char link[64], path[PATH_MAX];
  if (!counter) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strikes(call, path);
}

static int strikes_at(const char *call, int folder, const char *name) {
  char link[64], path[2 * PATH_MAX];
  if (!counter || name[0] == '/' || folder == AT_FDCWD) return strikes(call, name);
  snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
  return strikes(call, path);
}

#define REAL(name) \
  static __typeof__(&name) really; \
  if (!really) really = dlsym(RTLD_NEXT, #name)
#define OPENS(flags) ((flags) & (O_CREAT | O_TRUNC))
#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest); \
    REAL(name); \
    return OPENS(flags) && strikes("open", path) ? -1 : really(path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest); \
    REAL(name); \
    return OPENS(flags) && strikes_at("open", folder, path) ? -1 : really(folder, path, flags, mode); \
  }
#define STREAM(name) \
  FILE *name(const char *path, const char *mode) { \
    REAL(name); \
    return strpbrk(mode, "wa+") && strikes("fopen", path) ? NULL : really(path, mode); \
  }
/* A call by descriptor, by path, or by a folder and a name: its result, its name, its parameters and arguments. */
#define BY_FD(result, name, takes, fd, ...) \
  result name takes { \
    REAL(name); \
    return strikes_fd(#name, fd) ? -1 : really(__VA_ARGS__); \
  }
#define BY_PATH(name, takes, path, ...) \
  int name takes { \
    REAL(name); \
    return strikes(#name, path) ? -1 : really(__VA_ARGS__); \
  }
#define BY_NAME(name, takes, folder, path, ...) \
  int name takes { \
    REAL(name); \
    return strikes_at(#name, folder, path) ? -1 : really(__VA_ARGS__); \
  }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
STREAM(fopen)
STREAM(fopen64)
BY_FD(ssize_t, write, (int fd, const void *data, size_t size), fd, fd, data, size)
BY_FD(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t place), fd, fd, data, size, place)
BY_FD(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t place), fd, fd, data, size, place)
BY_FD(ssize_t, writev, (int fd, const struct iovec *parts, int count), fd, fd, parts, count)
BY_FD(ssize_t, sendfile, (int fd, int from, off_t *place, size_t size), fd, fd, from, place, size)
BY_FD(ssize_t, sendfile64, (int fd, int from, off64_t *place, size_t size), fd, fd, from, place, size)
BY_FD(ssize_t, copy_file_range, (int from, off64_t *there, int fd, off64_t *here, size_t size, unsigned flags), fd,
      from, there, fd, here, size, flags)
BY_FD(int, ftruncate, (int fd, off_t size), fd, fd, size)
BY_FD(int, ftruncate64, (int fd, off64_t size), fd, fd, size)
BY_FD(int, fsync, (int fd), fd, fd)
BY_FD(int, fdatasync, (int fd), fd, fd)
BY_PATH(rename, (const char *from, const char *to), to, from, to)
BY_NAME(renameat, (int there, const char *from, int here, const char *to), here, to, there, from, here, to)
BY_NAME(renameat2, (int there, const char *from, int here, const char *to, unsigned flags), here, to, there, from, here,
        to, flags)
BY_PATH(link, (const char *from, const char *to), to, from, to)
BY_NAME(linkat, (int there, const char *from, int here, const char *to, int flags), here, to, there, from, here, to,
        flags)
BY_PATH(symlink, (const char *from, const char *to), to, from, to)
BY_PATH(mkdir, (const char *path, mode_t mode), path, path, mode)
BY_NAME(mkdirat, (int folder, const char *path, mode_t mode), folder, path, folder, path, mode)
BY_PATH(chmod, (const char *path, mode_t mode), path, path, mode)
BY_NAME(fchmodat, (int folder, const char *path, mode_t mode, int flags), folder, path, folder, path, mode, flags)
