/* Clock of a process that a test sets. Load this library with LD_PRELOAD. SHIFTED_CLOCK names a file with the offset of
 * the time of day in nanoseconds, as a native 64-bit integer. The file is mapped into memory, so all processes see a new
 * offset simultaneously.
 *
 * The monotonic clock and all relative waits are unchanged. Deadlines given as a time of day are shifted back.
 * (libfaketime 0.9.10 cannot do this: without faking the monotonic clock, Python's time.sleep fails with EINVAL; with it,
 * threading.Event.wait never ends.)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
/* A deadline above this number of seconds is a time of day: no machine has an uptime of thirty years. */
#define TIME_OF_DAY 1000000000LL

static const volatile int64_t nowhere = 0, *offset = &nowhere;
static long (*real_syscall)(long, ...);

__attribute__((constructor)) static void map_the_file(void) {
    const char *name = getenv("SHIFTED_CLOCK");
    int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) offset = mapped;
}

static struct timespec shifted(const struct timespec *at, int64_t by) {
    int64_t total = at->tv_sec * SECOND + at->tv_nsec + by;
    return (struct timespec){.tv_sec = total / SECOND, .tv_nsec = total % SECOND};
}

static struct timespec deadline(const struct timespec *at) {
    return at->tv_sec > TIME_OF_DAY ? shifted(at, -*offset) : *at;
}

static void find_syscall(void) {
    if (real_syscall == NULL) real_syscall = dlsym(RTLD_NEXT, "syscall");
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    find_syscall();
    int result = (int)real_syscall(SYS_clock_gettime, clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *at = shifted(at, *offset);
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL) *at = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    /* dlsym alone may return the version of 2003, whose condition variable has another layout. */
    if (real == NULL) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (real == NULL) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec then = deadline(until);
    return real(condition, mutex, &then);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    struct timespec then = deadline(until);
    return real(condition, mutex, clock, &then);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*real)(sem_t *, const struct timespec *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec then = deadline(until);
    return real(semaphore, &then);
}

/* Locks outside pthread, such as gRPC's, call the kernel directly. */
long syscall(long number, ...) {
    va_list rest;
    long given[6];
    va_start(rest, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
    va_end(rest);
    find_syscall();
    struct timespec then;
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) && given[3] != 0) {
        then = deadline((const struct timespec *)given[3]);
        given[3] = (long)&then;
    }
    return real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
