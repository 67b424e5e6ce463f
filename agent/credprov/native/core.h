/* What the tile says to the agent's service and what it shows, without Windows:
 * the reader is agent/local/reference/surface.c, the protocol docs/local-protocol.md.
 * Times are milliseconds of any clock that only goes on. C11, no allocation. */
#ifndef FIRSTDAY_CORE_H
#define FIRSTDAY_CORE_H

#include "../../local/reference/surface.h"

enum {
    CORE_BLOB = 1024,              /* bytes to log on with; the service sends 814 at most */
    CORE_OUT = 10 * SURFACE_LINE,  /* what is not sent yet: a whole action, and watches */
    CORE_GREETING = 20000,         /* how long an answer may take */
    CORE_WATCH = 30000,
    CORE_BLOCK = 5000,             /* how long a block may take from its first byte to its last */
    CORE_LOGON = 60000             /* how long what to log on with is kept */
};

struct core_field {
    char name[SURFACE_WORD + 1], label[SURFACE_LINE];
    int secret, digits;
};

struct core_action {
    char name[SURFACE_WORD + 1], label[SURFACE_LINE];
    int primary;
};

/* A screen. All zero: there is nothing to show. What is not text is zero too, so
 * that screens compare byte by byte. */
struct core_screen {
    char serial[19];
    int logon; /* the service has something to log on with */
    /* What is drawn: all from here on, see core_same. */
    int shown;
    char state[SURFACE_WORD + 1];
    char title[SURFACE_LINE], message[SURFACE_LINE], note[SURFACE_LINE], code[SURFACE_LINE], uri[SURFACE_LINE];
    struct core_field fields[SURFACE_LIST];
    struct core_action actions[SURFACE_LIST];
    int field_count, action_count, modules;
    char picture[SURFACE_MODULES][SURFACE_MODULES]; /* 1 is dark */
};

struct core {
    struct surface_parser in;
    struct core_screen screen;
    unsigned char blob[CORE_BLOB];
    size_t blob_size;
    char out[CORE_OUT];
    size_t out_size;
    int greeted, broken, acts, asked, came, logon_came;
    char typed_in[SURFACE_WORD + 1]; /* the state of the screen whose fields were last filled in here */
    unsigned long long now, asked_at, acted_at, logon_at, block_at, blob_at;
};

/* Begins a conversation: forgets everything, and greets. */
void core_begin(struct core *c, unsigned long long now);

/* Takes what has arrived. 0: go on; -1: hang up, and show nothing. What is to be
 * sent is in out afterwards. */
int core_read(struct core *c, const char *bytes, size_t count, unsigned long long now);

/* Presses the button of that name on the screen of that serial number, with
 * values for its fields in their order; none: NULL. -1: it does not fit, and
 * nothing was written. */
int core_act(struct core *c, const struct core_screen *on, const char *action, const char *const *values, unsigned long long now);

/* Takes what is to be sent, and forgets it. Gives its length. */
size_t core_take(struct core *c, char *out);

/* How many milliseconds are left until the service is too late. 0: hang up. It
 * forgets what to log on with when that is too old. */
unsigned long core_left(struct core *c, unsigned long long now);

/* The person has gone elsewhere: nobody is logged on. */
void core_leave(struct core *c);

/* Forgets everything. */
void core_wipe(void *bytes, size_t count);

/* Tells whether two screens look the same. */
int core_same(const struct core_screen *a, const struct core_screen *b);

/* The primary action's number, -1 if there is none. */
int core_primary(const struct core_screen *s);

#endif
