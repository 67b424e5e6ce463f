/* The guard: root's, without a window, and with nobody's help. */
#include "guard.h"

#include "system.h"
#include "visit.h"

#define SECURITY "/usr/bin/security"
#define RIGHT "system.login.console"
#define AGENT "/Library/Application Support/Firstday/Agent/" FIRSTDAY_VERSION "/firstday-agent"

enum {
    AGENT_TIME = 30000, /* ms that the agent gets */
    TOOL_TIME = 20000,  /* and security */
    KILL_TIME = 2000, /* and one of the two that was ended */
    STEP = 50,
    REST = 5000,          /* before authd runs the list again that could not be repaired */
    ROOM = 65536          /* bytes of the right; it has about 2000 */
};

static unsigned long long now(void) { return clock_gettime_nsec_np(CLOCK_UPTIME_RAW) / 1000000; }

static char *find(const char *text, const char *what) { return strstr(text, what); }

static size_t length(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

static void sleep_ms(int ms) { poll(NULL, 0, ms); }

/* How a program ended. Where the host ignores SIGCHLD, or waits for all children by
 * itself, nobody is told. */
enum ending { WELL, BADLY, UNTOLD };

/* Waits for a program until then. 0: it runs. */
static int ended(int pid, unsigned long long until, int *status) {
    int got;
    while ((got = waitpid(pid, status, WNOHANG)) == 0 && now() < until) sleep_ms(STEP);
    return got;
}

/* Waits for a program, and ends it if it takes too long. */
static enum ending end(int pid, unsigned long long until) {
    int status = -1, got = ended(pid, until, &status);
    if (got == 0) {
        kill(pid, SIGKILL);
        ended(pid, now() + KILL_TIME, &status);
        return BADLY;
    }
    if (got != pid) return UNTOLD;
    return status == 0 ? WELL : BADLY;
}

/* Runs a program, with an end of a pipe in the place of one of its files, or none. */
static int start(int *pid, char *const *arguments, int end, int place, int other) {
    static char *const environment[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "FIRSTDAY_GUARD=1", NULL}; /* by which the agent knows who asks */
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions)) return -1;
    int failed = end >= 0 && (posix_spawn_file_actions_adddup2(&actions, end, place) || posix_spawn_file_actions_addclose(&actions, end) ||
                              posix_spawn_file_actions_addclose(&actions, other));
    failed = failed || posix_spawn(pid, arguments[0], &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? -1 : 0;
}

/* Reads the right into zeros. Gives its length, 0 if that fails. */
static size_t read_right(char *text) {
    static char *const arguments[] = {SECURITY, "authorizationdb", "read", RIGHT, NULL};
    unsigned long long until = now() + TOOL_TIME;
    size_t size = 0;
    int ends[2], pid, open = 1;
    if (pipe(ends)) return 0;
    int started = !start(&pid, arguments, ends[1], 1, ends[0]);
    close(ends[1]);
    while (started && open && now() < until && size < ROOM) {
        struct pollfd from = {ends[0], POLLIN, 0};
        if (poll(&from, 1, STEP) <= 0) continue;
        long count = read(ends[0], text + size, ROOM - size);
        open = count > 0;
        if (open) size += (size_t)count;
    }
    close(ends[0]);
    return started && end(pid, until) != BADLY && !open && size < ROOM && length(text) == size ? size : 0;
}

/* Writes the right. Whether that did anything, reading it tells. */
static void write_right(const char *text, size_t size) {
    static char *const arguments[] = {SECURITY, "authorizationdb", "write", RIGHT, NULL};
    unsigned long long until = now() + TOOL_TIME;
    int ends[2], pid, failed = 0;
    if (pipe(ends)) return;
    int started = !start(&pid, arguments, ends[0], 0, ends[1]);
    while (started && size > 0 && !failed && now() < until) {
        struct pollfd to = {ends[1], POLLOUT, 0};
        if (poll(&to, 1, STEP) <= 0) continue;
        long count = write(ends[1], text, size < 512 ? size : 512); /* which does not wait then: PIPE_BUF */
        failed = count <= 0;
        if (!failed) text += count, size -= (size_t)count;
    }
    close(ends[1]);
    if (started) end(pid, until);
    close(ends[0]); /* not before: no signal comes if security has gone */
}

/* Puts a text in the place of another one, which is not shorter. */
static void replace(char *at, const char *what, const char *with) {
    size_t old = length(what), new = length(with);
    for (size_t i = 0; i < new; i++) at[i] = with[i];
    memmove(at + new, at + old, length(at + old) + 1);
}

/* Takes a text out, and the line with it that it stands on. */
static void drop(char *text, char *at, const char *what) {
    char *from = at;
    while (from > text && (from[-1] == ' ' || from[-1] == '\t')) from--;
    if (from > text && from[-1] == '\n') from--;
    at += length(what);
    memmove(from, at, length(at) + 1);
}

#define OURS "FirstdayLogin"
#define WINDOW "<string>" OURS ":login</string>"
#define GUARD "<string>" OURS ":guard,privileged</string>"
#define APPLE "<string>loginwindow:login</string>"
_Static_assert(sizeof APPLE <= sizeof WINDOW, "the text never grows");

int guard_edit(char *text) {
    char *at;
    while ((at = find(text, GUARD))) drop(text, at, GUARD);
    while ((at = find(text, WINDOW)))
        if (find(text, APPLE)) drop(text, at, WINDOW);
        else replace(at, WINDOW, APPLE);
    at = find(text, APPLE);
    return at && !find(at + 1, APPLE) && !find(text, OURS) ? 0 : -1;
}

/* Reads it into a buffer that was used. */
static size_t read_again(char *text) {
    memset_s(text, ROOM + 1, 0, ROOM + 1);
    return read_right(text);
}

/* Has the agent do it, which keeps a copy and knows more ways. What it says counts
 * only where nobody can read what it has done. */
static int agent_repairs(char *text) {
    static char *const arguments[] = {AGENT, "login-window", "off", NULL};
    int pid;
    if (start(&pid, arguments, -1, 0, -1)) return 0;
    enum ending how = end(pid, now() + AGENT_TIME);
    if (!text || !read_again(text)) return how == WELL;
    return !find(text, OURS) && (how == WELL || find(text, APPLE));
}

/* Puts Apple's line back, and leaves everybody else's where it is. */
static int repair(char *text) {
    if (!read_again(text) || guard_edit(text)) return 0;
    write_right(text, length(text));
    return read_again(text) && find(text, APPLE) && !find(text, OURS);
}

static int has(const AuthorizationCallbacks *calls, void *engine, const char *key) {
    const AuthorizationValue *value = NULL;
    UInt32 flags = 0;
    return !calls->GetContextValue(engine, key, &flags, &value) && value && value->data && value->length > 0;
}

void guard_run(const AuthorizationCallbacks *calls, void *engine) {
    const AuthorizationValue *why = NULL;
    int fell = !calls->GetHintValue(engine, FALLBACK, &why) && why;
    if (!fell && has(calls, engine, "username") && has(calls, engine, "password")) {
        calls->SetResult(engine, kAuthorizationResultAllow);
        return;
    }
    char *text = calloc(1, ROOM + 1);
    int done = agent_repairs(text) || (text && repair(text));
    free(text);
    if (done) {
        calls->SetResult(engine, kAuthorizationResultUserCanceled);
        return;
    }
    sleep_ms(REST);
    calls->SetResult(engine, kAuthorizationResultDeny);
}
