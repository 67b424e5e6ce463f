/* What the plug-in says to the agent's service and to its page, without macOS: the
 * reader is agent/local/reference/surface.c, the protocol docs/local-protocol.md.
 * Times are milliseconds of any clock that only goes on. C11, no allocation. */
#ifndef FIRSTDAY_CORE_H
#define FIRSTDAY_CORE_H

#include "../../local/reference/surface.h"

enum {
    CORE_PAIR = 756,                      /* a name, NUL and a password, as the service sends them */
    CORE_OUT = 12 * SURFACE_LINE,         /* what is not sent yet: a whole action, and more */
    CORE_PAGE = 2 * SURFACE_BLOCK + 4096, /* a block as JSON */
    CORE_ANSWER = 20000,                  /* how long an answer may take */
    CORE_WATCH = 30000,
    CORE_BLOCK = 5000 /* how long a block may take from its first byte to its last */
};

/* What comes of it all. */
enum core_outcome {
    CORE_OPEN,     /* nothing yet */
    CORE_LOGON,    /* there are a name and a password */
    CORE_UNLOCKED, /* who has unlocked the disk is logged on */
    CORE_APPLE     /* the person wants Apple's login window */
};

struct core {
    struct surface_parser in;
    char serial[19];
    char address[SURFACE_LINE];         /* of the page that this screen wants to be shown */
    char screen[CORE_PAGE], note[1024]; /* what the page is to be told, JSON; "" if nothing is */
    char out[CORE_OUT];
    size_t out_size;
    char pair[CORE_PAIR + 1]; /* a name, NUL, a password, NUL */
    size_t pair_size;         /* without the last one */
    enum core_outcome outcome;
    int greeted, broken, came, secret_came;
    int acts;                           /* actions without an answer */
    int unlocked, filevault, asked;     /* there is somebody who has unlocked the disk; that is asked; a logon is */
    int typed;                          /* somebody has typed something here */
    int shown, refreshing;              /* there was a screen; refresh has no answer */
    char asked_for[19];                 /* the screen for which a logon was asked */
    unsigned long long now, asked_at, acted_at, extra_at, block_at;
};

/* Begins a conversation: forgets everything, and greets. session: a word, or "".
 * unlocked: somebody has unlocked the disk, and is to be logged on. */
void core_begin(struct core *c, const char *session, int unlocked, unsigned long long now);

/* Takes what has arrived. 0: go on; -1: hang up. */
int core_read(struct core *c, const char *bytes, size_t count, unsigned long long now);

/* What a page may ask of its host. */
enum core_wish { CORE_NOTHING, CORE_READY, CORE_SHOW, CORE_SHUT, CORE_MALFORMED };

/* Takes what the page says, lines:
 *
 *     field NAME VALUE        as in the local protocol, with
 *     act NAME SERIAL         act as the last line
 *     refresh
 *     login                   then two more: a name and a password, as values
 *     apple                   the person wants Apple's login window
 *     ready, show, shut       see what is given back: the page can be told things;
 *                             shows the address of the screen; does not any more */
enum core_wish core_page(struct core *c, const char *text, size_t count, unsigned long long now);

/* Takes what is to be sent, and forgets it. Gives its length. */
size_t core_take(struct core *c, char *out);

/* How many milliseconds are left until the service is too late. 0: hang up. */
unsigned long core_left(const struct core *c, unsigned long long now);

/* The password of a pair. */
const char *core_password(const struct core *c);

/* Tells whether a web page may be shown: https, from where the screen's address is. */
int core_may_show(const struct core *c, const char *address);

/* The service has hung up: what was said is void, and the page is told. */
void core_lost(struct core *c);

/* There is another page, which knows nothing: it is told all that is shown. */
void core_anew(struct core *c);

/* Forgets. */
void core_wipe(void *bytes, size_t count);

#endif
