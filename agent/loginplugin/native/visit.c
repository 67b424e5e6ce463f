/* See visit.h. The thread speaks with the agent's service over its socket. No wait
 * is without an end, and whatever goes wrong ends with Apple's login window. */
#include "visit.h"

#define SOCKET "/var/run/firstday/agent.sock"

enum {
    PATIENCE = 15000,  /* ms until the agent has to be there, which starts at the same time as the login window */
    PAUSE = 500,       /* between attempts to connect */
    LOSSES = 8,        /* connections that may be lost */
    WRITE_TIME = 2000,
    PAGE_TIME = 20000, /* until the page has to listen */
    PAGES = 3,         /* pages that may be lost */
    WLAN_TIME = 30000, /* for the host's Wi-Fi, which nothing can end */
    END_STEP = 5,      /* ms, while the engine is still being called, */
    END_STEPS = 1000   /* which never takes long */
};

static unsigned long long now(void) { return clock_gettime_nsec_np(CLOCK_UPTIME_RAW) / 1000000; }

static unsigned long least(unsigned long a, unsigned long b) { return a < b ? a : b; }

static void lock(struct visit *v) { pthread_mutex_lock(&v->lock); }
static void unlock(struct visit *v) { pthread_mutex_unlock(&v->lock); }

static void wake(struct visit *v) { (void)!write(v->wake[1], "", 1); }

struct visit *visit_keep(struct visit *v) {
    __atomic_add_fetch(&v->references, 1, __ATOMIC_RELAXED);
    return v;
}

void visit_drop(struct visit *v) {
    if (__atomic_sub_fetch(&v->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    close(v->wake[0]);
    close(v->wake[1]);
    pthread_mutex_destroy(&v->lock);
    memset_s(v, sizeof *v, 0, sizeof *v);
    free(v);
}

/* A value of the engine's context that is there, and has something in it. */
static const AuthorizationValue *context(struct visit *v, const char *key) {
    const AuthorizationValue *value = NULL;
    UInt32 flags = 0;
    if (v->calls->GetContextValue(v->engine, key, &flags, &value) || !value || !value->data || value->length == 0) return NULL;
    return value;
}

static int set(struct visit *v, const char *key, const AuthorizationValue *value) {
    return value ? v->calls->SetContextValue(v->engine, key, kAuthorizationContextFlagExtractable, value) : errAuthorizationInternal;
}

/* Hands over a name and a password, each with its NUL. */
static int set_pair(struct visit *v) {
    const char *password = core_password(&v->core);
    size_t name = (size_t)(password - v->core.pair);
    AuthorizationValue user = {name, v->core.pair}, secret = {v->core.pair_size + 1 - name, (void *)password};
    return set(v, "username", &user) || set(v, "password", &secret);
}

/* Hands on what was typed before macOS started. */
static int set_unlocked(struct visit *v) {
    const AuthorizationValue *user = context(v, "fvusername");
    return !user || set(v, "username", user) || set(v, "password", context(v, "fvpassword"));
}

static void set_hint(struct visit *v, const char *why) {
    size_t length = 1;
    while (why[length - 1]) length++;
    AuthorizationValue value = {length, (void *)why};
    v->calls->SetHintValue(v->engine, FALLBACK, &value);
}

static void forget(struct visit *v) { memset_s(&v->core, sizeof v->core, 0, sizeof v->core); }

/* Gives the result, once; with a reason, Apple's login window is to come back. It is
 * never a denial: authd would begin anew, without an end. The engine may call back
 * into the mechanism meanwhile, so nothing is locked; who finds a result leaves the
 * core alone. */
static void finish(struct visit *v, const char *why) {
    lock(v);
    int mine = !v->over && !v->done;
    if (mine) {
        v->done = v->calling = 1;
        v->caller = pthread_self();
    }
    unlock(v);
    if (!mine) return;
    if (!why && (v->core.outcome == CORE_UNLOCKED ? set_unlocked(v) : set_pair(v))) why = "engine";
    if (why) set_hint(v, why);
    forget(v);
    v->calls->SetResult(v->engine, kAuthorizationResultAllow);
    lock(v);
    v->calling = 0;
    unlock(v);
    window_close(v);
}

/* Has the page wait no longer for the host's Wi-Fi. */
static void end_wlan(struct wlan *w) {
    static const struct networks none;
    if (!w->busy || w->late || now() - w->since < WLAN_TIME) return;
    w->late = 1;
    if (w->join) networks_joined(w->name, "timeout", w->answer);
    else networks_tell(&none, "failed", w->answer);
}

/* What there is to do besides talking. 1: there is a result, or nobody waits for
 * one any more. */
static int settle(struct visit *v) {
    lock(v);
    int ended = v->over || v->done, show = 0, tell = 0;
    enum core_outcome outcome = v->core.outcome;
    const char *why = outcome == CORE_APPLE ? "asked" : NULL;
    if (!ended && outcome == CORE_OPEN) {
        show = !v->opened && (!v->unlocked || v->core.shown);
        if (show) {
            v->opened = 1;
            v->page_at = now();
        }
        end_wlan(&v->wlan);
        tell = v->ready && (*v->core.screen || *v->core.answer || *v->core.note || *v->wlan.answer);
        if (v->opened && !v->ready && now() - v->page_at >= PAGE_TIME) why = "page";
        if (v->pages >= PAGES) why = "page";
    }
    unlock(v);
    if (ended) return 1;
    if (why || outcome != CORE_OPEN) {
        finish(v, why);
        return 1;
    }
    if (show) window_open(v);
    if (tell) window_tell(v);
    return 0;
}

/* How much of a time is left since then, at most so much. */
static unsigned long left(unsigned long most, unsigned long long since, unsigned long time) {
    unsigned long long waited = now() - since;
    return least(most, waited < time ? (unsigned long)(time - waited) : 0);
}

static unsigned long time_left(struct visit *v, unsigned long most) {
    lock(v);
    if (v->opened && !v->ready) most = left(most, v->page_at, PAGE_TIME);
    if (v->wlan.busy && !v->wlan.late) most = left(most, v->wlan.since, WLAN_TIME);
    unlock(v);
    return most;
}

/* Waits until the service has said something, the visit was woken up, or the time
 * is over. Tells whether there is something to read. */
static int wait(struct visit *v, int fd, unsigned long time) {
    char bytes[64];
    struct pollfd either[] = {{v->wake[0], POLLIN, 0}, {fd, POLLIN, 0}};
    if (poll(either, fd < 0 ? 1 : 2, (int)time) <= 0) return 0;
    if (either[0].revents) (void)!read(v->wake[0], bytes, sizeof bytes);
    return fd >= 0 && either[1].revents != 0;
}

static int write_all(int fd, const char *bytes, size_t size) {
    struct pollfd to = {fd, POLLOUT, 0};
    while (size > 0) {
        long sent = poll(&to, 1, WRITE_TIME) > 0 ? send(fd, bytes, size, MSG_DONTWAIT) : -1;
        if (sent <= 0) return -1;
        bytes += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* Sends what is to be sent. */
static int flush(struct visit *v, int fd) {
    lock(v);
    size_t size = v->done ? 0 : core_take(&v->core, v->out, now());
    unlock(v);
    int failed = write_all(fd, v->out, size);
    memset_s(v->out, sizeof v->out, 0, size);
    return failed;
}

enum talk { ENDED, LOST, BROKEN };

/* Reads once. */
static enum talk hear(struct visit *v, int fd) {
    long count = recv(fd, v->piece, sizeof v->piece, MSG_DONTWAIT);
    if (count <= 0) return LOST;
    lock(v);
    int refused = !v->done && core_read(&v->core, v->piece, (size_t)count, now());
    unlock(v);
    memset_s(v->piece, sizeof v->piece, 0, (size_t)count);
    return refused ? BROKEN : ENDED;
}

/* Speaks until there is a result, or one side hangs up. */
static enum talk speak(struct visit *v, int fd) {
    for (;;) {
        if (settle(v)) return ENDED;
        if (flush(v, fd)) return LOST;
        lock(v);
        unsigned long left = core_left(&v->core, now());
        unlock(v);
        if (left == 0) return BROKEN;
        if (!wait(v, fd, time_left(v, left))) continue;
        enum talk heard = hear(v, fd);
        if (heard != ENDED) return heard;
    }
}

/* Connects to the service. What people type goes to root, and to nobody else. */
static int reach(void) {
    struct sockaddr_un address = {sizeof address, AF_UNIX, SOCKET};
    uint32_t user = 1, group;
    int yes = 1, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes) || connect(fd, &address, sizeof address) || getpeereid(fd, &user, &group) || user != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Connects, and speaks. */
static enum talk call(struct visit *v, int *spoke) {
    int fd = reach();
    if (fd < 0) return LOST;
    lock(v);
    if (!v->done && !v->over && v->core.outcome == CORE_OPEN) core_begin(&v->core, v->session, v->unlocked, now());
    unlock(v);
    enum talk end = speak(v, fd);
    close(fd);
    lock(v);
    *spoke = v->core.greeted;
    if (!v->done && v->core.outcome == CORE_OPEN) core_lost(&v->core);
    unlock(v);
    return end;
}

static const char *follow(struct visit *v) {
    unsigned long long since = now();
    for (;;) {
        int spoke = 0;
        switch (call(v, &spoke)) {
        case ENDED: return NULL;
        case BROKEN: return "agent-broken";
        case LOST: break;
        }
        if (spoke && ++v->losses > LOSSES) return "agent-lost";
        if (spoke) since = now();
        if (now() - since >= PATIENCE) return "no-agent";
        if (settle(v)) return NULL;
        wait(v, -1, time_left(v, PAUSE));
    }
}

static void *thread(void *p) {
    struct visit *v = p;
    const char *why = follow(v);
    if (why) finish(v, why);
    visit_drop(v);
    return NULL;
}

/* Writes the number of the audit session, which tells several people's screens
 * apart; nothing, if it is not known. */
static void name_session(char *out) {
    struct auditinfo_addr info = {0};
    char digits[12];
    int n = 0;
    if (getaudit_addr(&info, sizeof info) || info.session <= 0) return;
    for (int left = info.session; left > 0; left /= 10) digits[n++] = (char)('0' + left % 10);
    while (n > 0) *out++ = digits[--n];
    *out = 0;
}

struct visit *visit_begin(const AuthorizationCallbacks *calls, void *engine) {
    struct visit *v = calloc(1, sizeof *v);
    pthread_t t;
    if (!v) return NULL;
    v->calls = calls;
    v->engine = engine;
    v->references = 2;
    name_session(v->session);
    if (pipe(v->wake)) {
        free(v);
        return NULL;
    }
    pthread_mutex_init(&v->lock, NULL);
    v->unlocked = context(v, "fvusername") && context(v, "fvpassword") && window_may_unlock();
    if (pthread_create(&t, NULL, thread, v)) {
        finish(v, "thread");
        visit_drop(v);
        return v;
    }
    pthread_detach(t);
    return v;
}

void visit_end(struct visit *v) {
    lock(v);
    v->over = 1;
    if (!v->done) forget(v);
    for (int i = 0; i < END_STEPS && v->calling && v->caller != pthread_self(); i++) {
        unlock(v);
        poll(NULL, 0, END_STEP);
        lock(v);
    }
    unlock(v);
    wake(v);
    window_close(v);
    visit_drop(v);
}

int visit_waits(struct visit *v) {
    lock(v);
    int waits = !v->over && !v->done;
    unlock(v);
    return waits;
}

static size_t length(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

static void copy(char *to, const char *from) {
    while ((*to++ = *from++))
        ;
}

/* Moves a text out. 0: there is none. */
static int move(char *out, char *from, size_t size) {
    if (!*from) return 0;
    copy(out, from);
    memset_s(from, size, 0, size);
    return 1;
}

/* Begins what the page wants of the host's Wi-Fi. 0: it is not done with what it has
 * to do already. */
static int begin_wlan(struct visit *v, struct core_wlan *what) {
    struct wlan *w = &v->wlan;
    if (w->busy) return 0;
    w->busy = 1;
    w->late = 0;
    w->join = what->join;
    w->since = now();
    copy(w->name, what->name);
    if (wifi_begin(v, what)) {
        w->busy = 0;
        networks_unknown(w->answer);
    }
    return 1;
}

enum core_wish visit_page(struct visit *v, const char *text, char *reply) {
    lock(v);
    int waits = !v->over && !v->done; /* else nobody empties the pipe */
    enum core_wish wish = waits ? core_page(&v->core, text, length(text), now()) : CORE_NOTHING;
    if (wish == CORE_READY) v->ready = 1;
    if (wish == CORE_REPLIES) move(reply, v->core.reply, sizeof v->core.reply);
    if (wish == CORE_WLAN) {
        wish = begin_wlan(v, &v->core.wlan) ? CORE_NOTHING : CORE_REPLIES;
        if (wish == CORE_REPLIES) copy(reply, "{\"kind\":\"answer\",\"verb\":\"wlan\",\"error\":\"busy\"}");
        memset_s(&v->core.wlan, sizeof v->core.wlan, 0, sizeof v->core.wlan);
    }
    unlock(v);
    if (waits) wake(v);
    return wish;
}

void visit_found(struct visit *v, const char *answer) {
    lock(v);
    int waits = !v->over && !v->done;
    if (waits && !v->wlan.late) copy(v->wlan.answer, answer);
    v->wlan.busy = 0;
    unlock(v);
    if (waits) wake(v);
}

int visit_tell(struct visit *v, char *out) {
    lock(v);
    int waits = !v->over && !v->done;
    int there = waits && (core_tell(&v->core, out, now()) || move(out, v->wlan.answer, sizeof v->wlan.answer));
    int asks = there && v->core.out.size > 0; /* what had to wait until the page took an answer */
    unlock(v);
    if (asks) wake(v);
    return there;
}

int visit_page_gone(struct visit *v) {
    lock(v);
    int waits = !v->over && !v->done, again = ++v->pages < PAGES;
    v->ready = 0;
    v->page_at = now();
    if (waits) core_anew(&v->core);
    unlock(v);
    if (waits) wake(v);
    return again;
}

/* The result owns the core. */
static int may_show(struct visit *v, int portal, const char *address) {
    return !v->done && (portal ? core_may_browse : core_may_show)(&v->core, address);
}

int visit_address(struct visit *v, int portal, char *out) {
    lock(v);
    const char *address = portal ? v->core.portal : v->core.page;
    int may = may_show(v, portal, address);
    if (may) copy(out, address);
    unlock(v);
    return may;
}

int visit_may_show(struct visit *v, int portal, const char *address) {
    lock(v);
    int may = may_show(v, portal, address);
    unlock(v);
    return may;
}

int visit_wants(struct visit *v, int portal, const char *first) {
    lock(v);
    const char *wanted = portal ? v->core.portal : v->core.page;
    while (*wanted && *wanted == *first) wanted++, first++;
    int wants = !v->done && (portal ? *v->core.portal != 0 : !*wanted && !*first);
    unlock(v);
    return wants;
}

enum core_trust visit_trusts(struct visit *v, int portal, int certificate, const char *host, long port, unsigned char *anchors, size_t *size) {
    lock(v);
    enum core_trust by = v->done ? CORE_NOTHING_SAID : core_trusts(&v->core, portal, certificate, host, port);
    if (by == CORE_ANCHORS) {
        *size = v->core.anchors_size;
        memmove(anchors, v->core.anchors, *size);
    }
    unlock(v);
    return by;
}

void visit_apple(struct visit *v) {
    char reply[CORE_REPLY];
    visit_page(v, "apple", reply);
}
