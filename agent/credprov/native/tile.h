/* The tile: what the thread that speaks with the agent's service and LogonUI's
 * own share. LogonUI never waits for the service: it is shown what was heard
 * last. */
#ifndef FIRSTDAY_TILE_H
#define FIRSTDAY_TILE_H

#include "abi.h"
#include "core.h"

struct tile {
    SRWLOCK lock; /* over all that follows; nobody waits for anything under it */
    struct core core;
    struct core_screen drawn; /* what LogonUI shows */
    BOOL drawn_logon;
    BOOL selected;   /* by the person, */
    BOOL to_stay_so; /* and so it stays when LogonUI looks again because we said so, */
    ULONGLONG left;  /* or because it has just deselected the tile for that; 0: never */
    BOOL found;      /* who takes what is logged on with: */
    ULONG package;
    struct {
        BOOL once, shown, logon;
        char serial[sizeof((struct core_screen *)0)->serial];
    } told;         /* what LogonUI was told of last: it is told of nothing twice */
    Events *events; /* NULL: nobody listens */
    UINT_PTR context;

    HANDLE stop, wake; /* events */
    ULONGLONG born;
    BOOL settled;
    LONG volatile refs;
};

/* Begins to speak with the service. NULL: it cannot. */
struct tile *tile_open(void);

/* Ends it, without waiting. */
void tile_close(struct tile *t);

/* Has LogonUI look again, if it shows something else than it should. */
void tile_tell(struct tile *t);

/* Tells whether the person can be logged on now. Under the lock. */
BOOL tile_can_logon(const struct tile *t);

/* Tells whether the person has chosen the tile, though LogonUI may have deselected
 * it for a moment. Under the lock. */
BOOL tile_is_chosen(const struct tile *t);

/* The thread, see pipe.c. */
DWORD WINAPI tile_watch(void *t);
void tile_release(struct tile *t);

/* Objects that keep the DLL in the process. When the last one goes in good order,
 * so does the sentinel. */
void hold_module(void);
void drop_module(void);

void *allocate(size_t size); /* zero; NULL: there is no room */
void discard(void *bytes);

/* Makes a text for LogonUI, which frees it, of UTF-8. */
LPWSTR text_of(const char *utf8);

/* See peer.c, logon.c, image.c, sentinel.c. */
BOOL peer_is_agent(HANDLE pipe);
BOOL find_negotiate(ULONG *package);
HBITMAP picture_of(const struct core_screen *s);
BOOL sentinel_raise(void);
void sentinel_lower(void);
BOOL is_disabled(void);
DWORD module_path(WCHAR *path, DWORD room); /* 0: it does not fit */

/* See credential.c. */
Credential *credential_new(struct tile *t);
enum {
    FIELD_IMAGE, FIELD_TITLE, FIELD_MESSAGE, FIELD_CODE, FIELD_URI,
    FIELD_INPUT, /* three each: label, text, secret */
    FIELD_SUBMIT = FIELD_INPUT + 3 * SURFACE_LIST,
    FIELD_LINK,
    FIELD_NOTE = FIELD_LINK + SURFACE_LIST,
    FIELD_COUNT
};
int field_type(DWORD id);
const char *field_label(const struct core_screen *s, DWORD id);

#endif
