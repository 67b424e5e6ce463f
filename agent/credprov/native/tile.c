/* See tile.h. */
#include "tile.h"

#include <string.h>

void *allocate(size_t size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }

void discard(void *bytes) { HeapFree(GetProcessHeap(), 0, bytes); }

LPWSTR text_of(const char *utf8) {
    int count = MultiByteToWideChar(CP_UTF8, 0, utf8, -1, NULL, 0);
    LPWSTR text = count > 0 ? CoTaskMemAlloc((size_t)count * sizeof *text) : NULL;
    if (text) MultiByteToWideChar(CP_UTF8, 0, utf8, -1, text, count);
    return text;
}

/* The thread holds the tile and the module by itself: LogonUI never waits for its
 * end, which is at the next event. */
static BOOL start(struct tile *t) {
    HMODULE self;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)tile_watch, &self)) return FALSE;
    hold_module();
    t->refs++;
    HANDLE thread = CreateThread(NULL, 0, tile_watch, t, 0, NULL);
    if (thread) {
        CloseHandle(thread);
        return TRUE;
    }
    t->refs--;
    drop_module();
    FreeLibrary(self);
    return FALSE;
}

struct tile *tile_open(void) {
    struct tile *t = allocate(sizeof *t);
    if (!t) return NULL;
    t->refs = 1;
    t->born = GetTickCount64();
    t->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    t->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (t->stop && t->wake && start(t)) return t;
    tile_release(t);
    return NULL;
}

void tile_close(struct tile *t) {
    SetEvent(t->stop);
    AcquireSRWLockExclusive(&t->lock);
    core_leave(&t->core);
    t->selected = t->to_stay_so = FALSE;
    ReleaseSRWLockExclusive(&t->lock);
    tile_release(t);
}

void tile_release(struct tile *t) {
    if (InterlockedDecrement(&t->refs) > 0) return;
    if (t->stop) CloseHandle(t->stop);
    if (t->wake) CloseHandle(t->wake);
    core_wipe(t, sizeof *t);
    discard(t);
}

BOOL tile_can_logon(const struct tile *t) { return t->found && t->core.blob_size > 0; }

/* LogonUI deselects a tile to look again, and may do that twice in a row. */
enum { MOMENT = 1000 };

BOOL tile_is_chosen(const struct tile *t) {
    return t->selected || t->to_stay_so || (t->left > 0 && GetTickCount64() - t->left < MOMENT);
}

/* Tells whether LogonUI shows what it should. */
static BOOL is_drawn(const struct tile *t) {
    return core_same(&t->drawn, &t->core.screen) && t->drawn_logon == tile_can_logon(t);
}

/* Tells whether LogonUI was told of the present screen, though it has not looked
 * yet: who is told twice draws twice, and loses what is typed meanwhile. */
static BOOL is_told(const struct tile *t) {
    return t->told.once && t->told.shown == t->core.screen.shown && t->told.logon == tile_can_logon(t) && !strcmp(t->told.serial, t->core.screen.serial);
}

static void note_told(struct tile *t) {
    t->told.once = TRUE;
    t->told.shown = t->core.screen.shown;
    t->told.logon = tile_can_logon(t);
    memcpy(t->told.serial, t->core.screen.serial, sizeof t->told.serial);
}

void tile_tell(struct tile *t) {
    AcquireSRWLockExclusive(&t->lock);
    Events *events = is_drawn(t) || is_told(t) ? NULL : t->events;
    UINT_PTR context = t->context;
    if (events) {
        events->v->AddRef(events);
        note_told(t);
        if (t->selected) t->to_stay_so = TRUE; /* LogonUI may be about to look, and have deselected it for that */
    }
    ReleaseSRWLockExclusive(&t->lock);
    if (!events) return;
    events->v->CredentialsChanged(events, context);
    events->v->Release(events);
}
