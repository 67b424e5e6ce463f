/* What the plug-in says to the agent's service and to its page, without macOS: the
 * reader is agent/local/reference/surface.c, the protocol docs/local-protocol.md.
 * Times are milliseconds of any clock that only goes on. C11, no allocation. */
#ifndef FIRSTDAY_CORE_H
#define FIRSTDAY_CORE_H

#include "../../local/reference/requests.h"
#include "../../local/reference/surface.h"

enum {
    CORE_PAIR = 756,                      /* a name, NUL and a password, as the service sends them */
    CORE_OUT = REQUESTS_ROOM,
    CORE_PAGE = 2 * SURFACE_BLOCK + 4096, /* a block as JSON */
    CORE_REPLY = 96,                      /* what the page is told at once */
    CORE_ORIGIN = 272,                    /* of an address; no host has a longer one */
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

/* What the page may ask the service, besides the sign-in. */
enum core_verb { CORE_USERS, CORE_NETWORK, CORE_SCAN, CORE_JOIN, CORE_WIFI, CORE_INFO, CORE_POWER, CORE_LOGO, CORE_VERBS };

/* What the page wants of this Mac's Wi-Fi, of the host itself. */
struct core_wlan {
    int join, hidden; /* else it wants the names; the network tells nobody its name */
    char name[33], password[65];
};

/* Asking the service what the page asks, one thing at a time. */
struct core_desk {
    const char *waiting[CORE_VERBS]; /* requests that are not sent yet */
    struct requests join;            /* "join", after its fields */
    int sent, verb;                  /* the verb is the last that was sent; it has no answer yet */
    unsigned long long sent_at;
};

struct core {
    struct surface_parser in;
    char serial[19];
    char page[SURFACE_LINE];                           /* the address of the sign-in's first page; "": there is none */
    char origins[SURFACE_ORIGINS][CORE_ORIGIN];        /* that its pages may have */
    int origin_count;
    unsigned char anchors[SURFACE_ANCHOR_BYTES];       /* of the page's origin: certificates of CAs, DER */
    size_t anchors_size;                               /* 0: the system knows it */
    char portal[SURFACE_LINE];                         /* where this network wants to be asked first */
    char screen[CORE_PAGE], answer[CORE_PAGE], note[1024]; /* what the page is to be told, JSON; "" if nothing is */
    char reply[CORE_REPLY];                            /* the same, at once */
    struct requests out;
    struct core_desk desk;
    struct core_wlan wlan;
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
enum core_wish { CORE_NOTHING, CORE_READY, CORE_SHOW, CORE_PORTAL, CORE_SHUT, CORE_WLAN, CORE_REPLIES, CORE_MALFORMED };

/* Takes what the page says, lines:
 *
 *     field NAME VALUE        as in the local protocol, with
 *     act NAME SERIAL         act as the last line
 *     refresh
 *     ask VERB [WORDS]        users, network, scan, join, wifi on|off, info,
 *                             power restart|shutdown, logo; before join, the fields
 *                             name, password, hidden and identity
 *     wlan scan               asks the host itself, without the service
 *     wlan join               after the fields name, password and hidden
 *     login                   then two more: a name and a password, as values
 *     apple                   the person wants Apple's login window
 *     ready, show, portal, shut   see what is given back: the page can be told
 *                             things; shows the page of the screen, or what the
 *                             network wants to be asked; does not any more
 *
 * CORE_WLAN: what is wanted is in wlan; CORE_REPLIES: the page is told what is in
 * reply. Whoever called wipes either. */
enum core_wish core_page(struct core *c, const char *text, size_t count, unsigned long long now);

/* Moves the next text for the page, JSON, out of the core. 0: there is none. An
 * answer that is taken lets the next question go. */
int core_tell(struct core *c, char *out, unsigned long long now);

/* Takes what is to be sent, and forgets it. Gives its length. */
size_t core_take(struct core *c, char *out, unsigned long long now);

/* How many milliseconds are left until the service is too late. 0: hang up. */
unsigned long core_left(const struct core *c, unsigned long long now);

/* The password of a pair. */
const char *core_password(const struct core *c);

/* Tells whether a page of the sign-in, or a frame in one, may go to an address:
 * of an origin that the screen names, and no other. */
int core_may_show(const struct core *c, const char *address);

/* Tells whether a page that the network wants to be seen may go to an address:
 * anywhere in the web, as long as the service says that there is such a page. */
int core_may_browse(const struct core *c, const char *address);

/* By what is known whom a page comes from. */
enum core_trust {
    CORE_NOTHING_SAID, /* it is not that which is asked, and nothing else is answered */
    CORE_SYSTEM,       /* by what the system trusts */
    CORE_ANCHORS       /* by the anchors, and by nothing else */
};

/* Tells it of a server that a page beside ours comes from, or something in one; nothing
 * is said once there is no such page. certificate: it shows its certificate; else it, or
 * a proxy, asks who is there. */
enum core_trust core_trusts(const struct core *c, int portal, int certificate, const char *host, long port);

/* The service has hung up: what was said is void, and the page is told. */
void core_lost(struct core *c);

/* There is another page, which knows nothing: it is told all that is shown. */
void core_anew(struct core *c);

#endif
