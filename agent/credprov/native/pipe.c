/* The thread that speaks with the agent's service over its named pipe. Only this
 * thread ever waits, and no wait is without an end: whoever serves the pipe may
 * be slow, mute, or somebody else. */
#include "tile.h"

#define PIPE L"\\\\.\\pipe\\firstday-agent"

enum {
    PIECE = 4096,        /* bytes read at once */
    WRITE_TIME = 2000,   /* ms */
    SOON = 1000,         /* until the next attempt to connect, */
    LATER = 10000,       /* and when SOON_ATTEMPTS were in vain */
    SOON_ATTEMPTS = 30,
    SETTLED = 30000      /* after which we have not brought LogonUI down */
};

/* One connection. */
struct line {
    HANDLE pipe;
    OVERLAPPED reading, writing; /* each with its event */
    BOOL pending;                /* the system still reads */
    char piece[PIECE];
    char out[CORE_OUT];
};

/* Who serves the pipe may learn who we are, but not act for us. */
static HANDLE connect(void) {
    return CreateFileW(PIPE, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
}

/* Waits until the system is done with what it was asked for. */
static void cancel(struct line *l, OVERLAPPED *o) {
    DWORD count;
    CancelIoEx(l->pipe, o);
    GetOverlappedResult(l->pipe, o, &count, TRUE);
}

static BOOL write_all(struct tile *t, struct line *l, const char *bytes, size_t size) {
    HANDLE either[] = {l->writing.hEvent, t->stop};
    while (size > 0) {
        DWORD count = 0;
        BOOL done = WriteFile(l->pipe, bytes, (DWORD)size, NULL, &l->writing);
        if (!done && GetLastError() != ERROR_IO_PENDING) return FALSE;
        if (!done && WaitForMultipleObjects(2, either, FALSE, WRITE_TIME) != WAIT_OBJECT_0) {
            cancel(l, &l->writing);
            return FALSE;
        }
        if (!GetOverlappedResult(l->pipe, &l->writing, &count, FALSE) || count == 0) return FALSE;
        bytes += count;
        size -= count;
    }
    return TRUE;
}

/* Sends what is to be sent. */
static BOOL flush(struct tile *t, struct line *l) {
    AcquireSRWLockExclusive(&t->lock);
    size_t size = core_take(&t->core, l->out);
    ReleaseSRWLockExclusive(&t->lock);
    BOOL sent = write_all(t, l, l->out, size);
    core_wipe(l->out, size);
    return sent;
}

/* Begins to read, unless that is under way. */
static BOOL begin_reading(struct line *l) {
    if (l->pending) return TRUE;
    l->pending = ReadFile(l->pipe, l->piece, PIECE, NULL, &l->reading) || GetLastError() == ERROR_IO_PENDING;
    return l->pending;
}

/* Takes what was read. */
static BOOL end_reading(struct tile *t, struct line *l) {
    DWORD count;
    l->pending = FALSE;
    if (!GetOverlappedResult(l->pipe, &l->reading, &count, FALSE) || count == 0) return FALSE;
    AcquireSRWLockExclusive(&t->lock);
    BOOL understood = core_read(&t->core, l->piece, count, GetTickCount64()) == 0;
    ReleaseSRWLockExclusive(&t->lock);
    core_wipe(l->piece, count);
    return understood;
}

/* Asks who takes what is logged on with; without that, nobody is logged on. */
static void prepare_logon(struct tile *t) {
    ULONG package = 0;
    AcquireSRWLockShared(&t->lock);
    BOOL wanted = t->core.blob_size > 0 && !t->found;
    ReleaseSRWLockShared(&t->lock);
    if (!wanted) return;
    BOOL found = find_negotiate(&package);
    AcquireSRWLockExclusive(&t->lock);
    if (!found) core_leave(&t->core);
    t->found = found;
    t->package = package;
    ReleaseSRWLockExclusive(&t->lock);
}

/* Lowers the sentinel though nobody has selected the tile: who switches the device
 * off at the sign-in screen ends LogonUI without a word. */
static void settle(struct tile *t) {
    if (t->settled || GetTickCount64() - t->born < SETTLED) return;
    t->settled = TRUE;
    sentinel_lower();
}

static DWORD time_left(struct tile *t) {
    AcquireSRWLockExclusive(&t->lock);
    DWORD time = core_left(&t->core, GetTickCount64());
    ReleaseSRWLockExclusive(&t->lock);
    return time;
}

/* Speaks until one side hangs up. */
static void speak(struct tile *t, struct line *l) {
    HANDLE any[] = {t->stop, t->wake, l->reading.hEvent};
    while (flush(t, l) && begin_reading(l)) {
        DWORD time = time_left(t);
        tile_tell(t);
        settle(t);
        if (time == 0) return;
        DWORD happened = WaitForMultipleObjects(3, any, FALSE, time);
        if (happened == WAIT_OBJECT_0 || happened == WAIT_FAILED) return;
        if (happened == WAIT_OBJECT_0 + 2) {
            if (!end_reading(t, l)) return;
            prepare_logon(t);
        }
    }
}

/* There is nothing to show. */
static void lose(struct tile *t) {
    AcquireSRWLockExclusive(&t->lock);
    core_wipe(&t->core, sizeof t->core);
    t->found = FALSE;
    ReleaseSRWLockExclusive(&t->lock);
    tile_tell(t);
}

/* Connects, and speaks with the agent's service. FALSE: it is not there. */
static BOOL call(struct tile *t, struct line *l) {
    l->pipe = connect();
    if (l->pipe == INVALID_HANDLE_VALUE) return FALSE;
    BOOL trusted = peer_is_agent(l->pipe);
    if (trusted) {
        AcquireSRWLockExclusive(&t->lock);
        core_begin(&t->core, GetTickCount64());
        ReleaseSRWLockExclusive(&t->lock);
        speak(t, l);
        if (l->pending) cancel(l, &l->reading);
        l->pending = FALSE;
        lose(t);
    }
    CloseHandle(l->pipe);
    return trusted;
}

static void watch(struct tile *t, struct line *l) {
    DWORD pause;
    int attempts = 0;
    do {
        attempts = call(t, l) ? 0 : attempts + 1;
        settle(t);
        pause = attempts < SOON_ATTEMPTS ? SOON : LATER;
        if (attempts > SOON_ATTEMPTS) attempts = SOON_ATTEMPTS;
    } while (WaitForSingleObject(t->stop, pause) == WAIT_TIMEOUT);
}

DWORD WINAPI tile_watch(void *p) {
    struct tile *t = p;
    HMODULE self = NULL;
    struct line *l = allocate(sizeof *l);
    if (l) {
        l->reading.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        l->writing.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (l->reading.hEvent && l->writing.hEvent) watch(t, l);
        if (l->reading.hEvent) CloseHandle(l->reading.hEvent);
        if (l->writing.hEvent) CloseHandle(l->writing.hEvent);
        core_wipe(l, sizeof *l);
        discard(l);
    }
    tile_release(t);
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, (LPCWSTR)(void *)tile_watch, &self);
    drop_module();
    FreeLibraryAndExitThread(self, 0); /* the reference that start took */
}
