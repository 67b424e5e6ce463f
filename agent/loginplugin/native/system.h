/* What of macOS' libSystem is called, in declarations of our own. Each name stands
 * in stubs/usr/lib/libSystem.tbd. */
#ifndef FIRSTDAY_SYSTEM_H
#define FIRSTDAY_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

void *calloc(size_t count, size_t size);
void free(void *);
int memset_s(void *, size_t room, int value, size_t count);
void *memmove(void *, const void *, size_t);
char *strstr(const char *, const char *);

/* sys/socket.h, sys/un.h */
enum { AF_UNIX = 1, SOCK_STREAM = 1, SOL_SOCKET = 0xffff, SO_NOSIGPIPE = 0x1022, MSG_DONTWAIT = 0x80 };
struct sockaddr_un {
    unsigned char sun_len, sun_family;
    char sun_path[104];
};
int socket(int domain, int type, int protocol);
int connect(int, const struct sockaddr_un *, unsigned length);
int setsockopt(int, int level, int name, const void *, unsigned length);
long recv(int, void *, size_t, int flags);
long send(int, const void *, size_t, int flags);
int getpeereid(int, uint32_t *user, uint32_t *group);
int close(int);
int pipe(int ends[2]);
long read(int, void *, size_t);
long write(int, const void *, size_t);

/* poll.h */
enum { POLLIN = 1, POLLOUT = 4 };
struct pollfd {
    int fd;
    short events, revents;
};
int poll(struct pollfd *, unsigned count, int milliseconds);

/* time.h: a clock that stands still while the Mac sleeps, as the agent's does */
enum { CLOCK_UPTIME_RAW = 8 };
uint64_t clock_gettime_nsec_np(int clock);

/* pthread.h; both have room for what a later macOS may want */
typedef struct { _Alignas(16) char opaque[128]; } pthread_mutex_t;
typedef struct opaque_pthread *pthread_t;
int pthread_create(pthread_t *, const void *attributes, void *(*)(void *), void *);
int pthread_detach(pthread_t);
pthread_t pthread_self(void);
int pthread_mutex_init(pthread_mutex_t *, const void *attributes);
int pthread_mutex_destroy(pthread_mutex_t *);
int pthread_mutex_lock(pthread_mutex_t *);
int pthread_mutex_unlock(pthread_mutex_t *);

/* spawn.h, signal.h, sys/wait.h */
enum { WNOHANG = 1, SIGKILL = 9 };
typedef struct { _Alignas(16) char opaque[128]; } posix_spawn_file_actions_t;
int posix_spawn_file_actions_init(posix_spawn_file_actions_t *);
int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *);
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *, int from, int to);
int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *, int);
int posix_spawn(int *pid, const char *path, const posix_spawn_file_actions_t *, const void *attributes, char *const *arguments, char *const *environment);
int waitpid(int pid, int *status, int options);
int kill(int pid, int signal);

/* bsm/audit.h */
struct auditinfo_addr {
    uint32_t auid, success, failure, port, type, address[4];
    int32_t session;
    uint64_t flags;
};
_Static_assert(sizeof(struct auditinfo_addr) == 48, "as in xnu");
int getaudit_addr(struct auditinfo_addr *, int length);

/* dispatch/queue.h */
extern struct dispatch_queue _dispatch_main_q;
void dispatch_async_f(struct dispatch_queue *, void *context, void (*)(void *));

#endif
