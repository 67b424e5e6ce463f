/* What the agent's service says to surfaces, read without any allocation.
 * The protocol is described in docs/local-protocol.md. C11. */
#ifndef FIRSTDAY_SURFACE_H
#define FIRSTDAY_SURFACE_H

#include <stddef.h>

enum {
    SURFACE_LINE = 1024,   /* bytes of a line, with its end */
    SURFACE_BLOCK = 32768, /* bytes of a block */
    SURFACE_WORD = 64,     /* bytes of a word */
    SURFACE_LIST = 8,      /* fields, and actions */
    SURFACE_MODULES = 57,  /* rows of a QR code */
    SURFACE_ORIGINS = 50,
    SURFACE_ANCHORS = 4,          /* certificates, */
    SURFACE_ANCHOR_BYTES = 16384, /* of so many bytes together, */
    SURFACE_ANCHOR_ROWS = 32,     /* in so many rows */
    SURFACE_YEAR = 31536000, /* seconds; no screen has more left */
    SURFACE_TEXTS = 23
};

/* The texts of a block. All are there; what was not sent is "". */
enum surface_text {
    SURFACE_STATE, SURFACE_WHY, SURFACE_CODE, /* words */
    SURFACE_ONLINE, SURFACE_MANAGED, SURFACE_LOGON, /* "yes" or "no" */
    SURFACE_LEFT,                             /* seconds, digits only */
    SURFACE_TITLE, SURFACE_MESSAGE, SURFACE_NOTE, SURFACE_HELP, SURFACE_USERCODE, SURFACE_URI, SURFACE_QRTEXT, SURFACE_PAGE,
    SURFACE_ACCOUNT, SURFACE_NAME, SURFACE_SERIAL, SURFACE_MODEL, SURFACE_OS, SURFACE_ORGANISATION, SURFACE_HEARD,
    SURFACE_AGENT
};

/* A field: kind text, digits, secret or secret-digits; treat any other as secret.
 * An action: kind primary or any other. */
struct surface_item {
    const char *name, *kind, *label;
};

/* Bytes of a row. */
struct surface_row {
    const unsigned char *bytes;
    size_t size;
};

/* A block. Its texts are UTF-8, and hold until the callback returns. */
struct surface_block {
    const char *kind;     /* hello, screen, ok, error; leave any other alone */
    const char *word;     /* version, serial number, verb or error */
    const char *texts[SURFACE_TEXTS];
    struct surface_item fields[SURFACE_LIST], actions[SURFACE_LIST];
    const char *modules[SURFACE_MODULES]; /* rows of '1' (dark) and '0' (light) */
    const char *origins[SURFACE_ORIGINS];
    const char *blob[SURFACE_LIST]; /* rows of hexadecimal digits, see surface_bytes */
    struct surface_row anchors[SURFACE_ANCHOR_ROWS]; /* see surface_anchors */
    int field_count, action_count, module_count, origin_count, blob_count, anchor_count;
    const char *pairs, *end; /* of any other block than a screen, see surface_pair */
};

struct surface_parser {
    char bytes[SURFACE_BLOCK];
    size_t used, line; /* what has come of the block, and where its last line begins */
    int broken;
    struct surface_block block;
};

typedef void surface_got(void *to, const struct surface_block *block);

/* Takes what has arrived, in whatever pieces. 0: go on; -1: hang up. */
int surface_feed(struct surface_parser *p, const char *bytes, size_t count, surface_got *got, void *to);

/* Tells whether the stream may end here. */
int surface_between(const struct surface_parser *p);

/* Begins anew, and forgets everything. */
void surface_reset(struct surface_parser *p);

/* Gives the next pair of a block that is no screen, in the order in which they came.
 * *at is NULL before the first. 0: there is no other. */
int surface_pair(const struct surface_block *block, const char **at, const char **key, const char **value);

/* Reads the bytes of "ok logon". Gives their number, 0 if there is no room. */
size_t surface_bytes(const struct surface_block *block, unsigned char *out, size_t room);

/* Reads the certificates of a screen, one after the other in DER. Gives their bytes'
 * number, 0 if there are none, or no room. */
size_t surface_anchors(const struct surface_block *block, unsigned char *out, size_t room);

/* Gives how many bytes the first certificate has of those that stand there, 0 if none
 * does. What it says is another matter. */
size_t surface_certificate(const unsigned char *der, size_t size);

/* Writes a value as requests hold it. Gives its length, 0 if there is no room. */
size_t surface_escape(char *out, size_t room, const char *value);

/* Forgets. */
void surface_wipe(void *bytes, size_t count);

#endif
