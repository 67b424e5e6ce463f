/* One stay at the login window: from when macOS invokes the mechanism until there
 * is a result, or macOS takes it back. */
#ifndef FIRSTDAY_VISIT_H
#define FIRSTDAY_VISIT_H

#include "abi.h"
#include "core.h"
#include "networks.h"
#include "system.h"

/* The hint that the guard looks for. Its value is why. */
#define FALLBACK "firstday.fallback"

/* The host's own Wi-Fi, which does one thing at a time. */
struct wlan {
    int busy, late; /* a thread is at it; the page does not wait for that any more */
    int join;
    char name[NETWORKS_NAME]; /* of the network to join */
    unsigned long long since;
    char answer[NETWORKS_PAGE]; /* for the page; "" if there is none */
};

struct visit {
    const AuthorizationCallbacks *calls;
    void *engine;
    int references; /* the mechanism's, the thread's, and one for each block on the main queue */
    int wake[2];    /* a pipe that ends the thread's wait */
    char session[16];
    int unlocked;   /* somebody has unlocked the disk */
    void *host;     /* the window's; of the main thread alone */

    pthread_mutex_t lock; /* over all that follows */
    pthread_t caller;     /* who gives the result */
    int over, done;       /* macOS has taken it back; there is a result, which owns the core */
    int calling;          /* and is being given */
    int opened, ready;    /* the window is; its page listens */
    int losses, pages;    /* connections lost, and pages */
    unsigned long long page_at; /* since when the page is waited for */
    struct core core;
    struct wlan wlan;

    char piece[4096], out[CORE_OUT]; /* the thread's */
};

/* Begins. NULL: there is no memory. The result comes by itself. */
struct visit *visit_begin(const AuthorizationCallbacks *calls, void *engine);

/* Ends: after it, the engine is not called any more. */
void visit_end(struct visit *v);

/* References to a visit. */
struct visit *visit_keep(struct visit *v);
void visit_drop(struct visit *v);

/* Tells whether a result is still waited for. */
int visit_waits(struct visit *v);

/* What the page says; reply, of CORE_REPLY, is what it is to be told at once, if that
 * is wished. What else it is to be told: JSON, of CORE_PAGE at most. 0: nothing. */
enum core_wish visit_page(struct visit *v, const char *text, char *reply);
int visit_tell(struct visit *v, char *out);

/* The page is gone, and is loaded again. 0: not once more. */
int visit_page_gone(struct visit *v);

/* The address, of SURFACE_LINE, of the first page that is to be shown beside ours: the
 * portal's, or the sign-in's. 0: there is none. Whether another page may follow it;
 * whether it is still the one that is wanted. */
int visit_address(struct visit *v, int portal, char *out);
int visit_may_show(struct visit *v, int portal, const char *address);
int visit_wants(struct visit *v, int portal, const char *first);

/* By what is known whom a page comes from that is shown beside ours, see core_trusts.
 * CORE_ANCHORS: they are in anchors, of SURFACE_ANCHOR_BYTES. */
enum core_trust visit_trusts(struct visit *v, int portal, int certificate, const char *host, long port, unsigned char *anchors, size_t *size);

/* The person wants Apple's login window, whatever the page does. */
void visit_apple(struct visit *v);

/* What the host's own Wi-Fi has found, or done: JSON. */
void visit_found(struct visit *v, const char *answer);

/* wifi.m: does it, and calls visit_found from a thread of its own. -1: it cannot. */
int wifi_begin(struct visit *v, const struct core_wlan *what);

/* trust.m: asks macOS whether a server is the one of that name by certificates of CAs,
 * and by nothing else. trust is a SecTrustRef, host an NSString. */
int trust_holds(void *trust, void *host, const unsigned char *anchors, size_t size);

/* window.m. All but the last return at once; the work is done on the main thread. */
void window_open(struct visit *v);
void window_tell(struct visit *v);
void window_close(struct visit *v);
int window_may_unlock(void); /* no policy says that who has unlocked the disk is not logged on */

#endif
