/* The networks that this Mac's Wi-Fi finds, as the page is told of them. */
#ifndef FIRSTDAY_NETWORKS_H
#define FIRSTDAY_NETWORKS_H

#include <stddef.h>

enum {
    NETWORKS = 60,
    NETWORKS_NAME = 33,   /* 32 bytes (IEEE 802.11), and NUL */
    NETWORKS_PAGE = 16384 /* all of them as JSON */
};

struct network {
    char name[NETWORKS_NAME];
    const char *kind; /* open, password or enterprise */
    long rssi;        /* dBm */
};

struct networks {
    struct network list[NETWORKS]; /* the strongest first */
    int count;
};

/* Adds one that was seen. Several of one name are one, as strong as the strongest and
 * of the kind that wants most: an open one that bears the name of another is not shown
 * as the way to it. */
void networks_add(struct networks *n, const char *name, const char *kind, long rssi);

/* Write answers for the page, JSON of NETWORKS_PAGE at most: the networks, and why
 * names are missing, "" if none are; what came of joining one, "" if it went well;
 * that there is no Wi-Fi here to ask. */
void networks_tell(const struct networks *n, const char *withheld, char *out);
void networks_joined(const char *name, const char *code, char *out);
void networks_unknown(char *out);

#endif
