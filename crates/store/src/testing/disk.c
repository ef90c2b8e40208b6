/* A disk with faults, for a program that has this library put before the system's (LD_PRELOAD).
 *
 * It is full while the file named in WARIFU_TEST_DISK_FULL exists: a write that would make a file larger fails with ENOSPC then, as on
 * a disk without a free block. What a file holds already can be written over. Standard output and error, pipes and sockets are on no disk.
 *
 * While the file named in WARIFU_TEST_DISK_HELD exists, fdatasync waits; while that in WARIFU_TEST_DISK_BROKEN does, it fails with EIO. Only of what was opened for
 * reading alone, as the program has SQLite's log that it syncs: SQLite itself has its files for writing, and syncs them as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Whether the file exists that this variable names. */
static int shown(const char *variable)
{
    const char *sign = getenv(variable);
    return sign && access(sign, F_OK) == 0;
}

/* Whether this write does not fit. Where it begins: `at`, or where the file stands if that is negative. */
static int no_room(int file, off_t at, size_t bytes)
{
    int kept = errno, full = 0;
    struct stat found;
    if (file > 2 && bytes > 0 && shown("WARIFU_TEST_DISK_FULL") && fstat(file, &found) == 0 && S_ISREG(found.st_mode)) {
        if (at < 0) {
            int flags = fcntl(file, F_GETFL);
            at = flags >= 0 && (flags & O_APPEND) ? found.st_size : lseek(file, 0, SEEK_CUR);
        }
        full = at + (off_t)bytes > found.st_size;
    }
    errno = full ? ENOSPC : kept;
    return full;
}

static size_t total(const struct iovec *parts, int count)
{
    size_t bytes = 0;
    for (int part = 0; part < count; part++)
        bytes += parts[part].iov_len;
    return bytes;
}

/* The system's own function of this name. */
#define SYSTEM(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *from, size_t bytes)
{
    return no_room(file, -1, bytes) ? -1 : SYSTEM(write)(file, from, bytes);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return no_room(file, -1, total(parts, count)) ? -1 : SYSTEM(writev)(file, parts, count);
}

/* Each of these exists under two names; which of them is called depends on how a program was compiled. */
#define AT(name) \
    ssize_t name(int file, const void *from, size_t bytes, off_t at) \
    { return no_room(file, at, bytes) ? -1 : SYSTEM(name)(file, from, bytes, at); }
AT(pwrite)
AT(pwrite64)

#define PARTS_AT(name) \
    ssize_t name(int file, const struct iovec *parts, int count, off_t at) \
    { return no_room(file, at, total(parts, count)) ? -1 : SYSTEM(name)(file, parts, count, at); }
PARTS_AT(pwritev)
PARTS_AT(pwritev64)

#define KEPT_FREE(name) \
    int name(int file, off_t at, off_t bytes) \
    { return no_room(file, at, (size_t)bytes) ? ENOSPC : SYSTEM(name)(file, at, bytes); }
KEPT_FREE(posix_fallocate)
KEPT_FREE(posix_fallocate64)

#define ALLOCATED(name) \
    int name(int file, int mode, off_t at, off_t bytes) \
    { return no_room(file, at, (size_t)bytes) ? -1 : SYSTEM(name)(file, mode, at, bytes); }
ALLOCATED(fallocate)
ALLOCATED(fallocate64)

int fdatasync(int file)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    if ((fcntl(file, F_GETFL) & O_ACCMODE) != O_RDONLY)
        return SYSTEM(fdatasync)(file);
    while (shown("WARIFU_TEST_DISK_HELD"))
        nanosleep(&moment, NULL);
    if (shown("WARIFU_TEST_DISK_BROKEN")) {
        errno = EIO;
        return -1;
    }
    return SYSTEM(fdatasync)(file);
}
