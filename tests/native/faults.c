/* Preloaded into a program: the FAULT_AT-th system call that writes below FAULT_ROOT does not happen.
 *
 * FAULT_KIND: `kill` ends the process there with SIGKILL, a number makes the call fail with that errno, `count` lets all
 * happen. The count, FAULT_COUNTER, is a file of 8 bytes that all processes share. */
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
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long *counter;
static long at;
static int error; /* 0: count, -1: kill */
static const char *root;

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
}

/* Whether this call is the one. */
static int strikes(const char *path) {
  if (!counter || strncmp(path, root, strlen(root))) return 0;
  if (__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST) != at || !error) return 0;
  if (error == -1) kill(getpid(), SIGKILL);
  errno = error;
  return 1;
}

static int strikes_fd(int fd) {
  char link[64], path[PATH_MAX];
  if (!counter) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strikes(path);
}

static int strikes_at(int folder, const char *name) {
  char link[64], path[2 * PATH_MAX];
  if (!counter || name[0] == '/' || folder == AT_FDCWD) return strikes(name);
  snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  snprintf(path + length, sizeof path - (size_t)length, "/%s", name);
  return strikes(path);
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
    return OPENS(flags) && strikes(path) ? -1 : really(path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest); \
    REAL(name); \
    return OPENS(flags) && strikes_at(folder, path) ? -1 : really(folder, path, flags, mode); \
  }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  return strikes_fd(fd) ? -1 : really(fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t place) {
  REAL(pwrite64);
  return strikes_fd(fd) ? -1 : really(fd, data, size, place);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  return strikes_fd(fd) ? -1 : really(fd, parts, count);
}
int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  return strikes_fd(fd) ? -1 : really(fd, size);
}
int fsync(int fd) {
  REAL(fsync);
  return strikes_fd(fd) ? -1 : really(fd);
}
int rename(const char *from, const char *to) {
  REAL(rename);
  return strikes(to) ? -1 : really(from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  REAL(renameat);
  return strikes_at(to_folder, to) ? -1 : really(from_folder, from, to_folder, to);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  return strikes(path) ? -1 : really(path, mode);
}
int chmod(const char *path, mode_t mode) {
  REAL(chmod);
  return strikes(path) ? -1 : really(path, mode);
}
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
  REAL(fchmodat);
  return strikes_at(folder, path) ? -1 : really(folder, path, mode, flags);
}
