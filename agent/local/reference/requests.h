/* Requests of a surface that wait to be sent, without any allocation. C11. */
#ifndef FIRSTDAY_REQUESTS_H
#define FIRSTDAY_REQUESTS_H

#include "surface.h"

enum { REQUESTS_ROOM = 12 * SURFACE_LINE }; /* for a whole action, and more */

struct requests {
    char bytes[REQUESTS_ROOM];
    size_t size;
};

/* Adds a line, of two texts. -1: there is no room, and nothing was added. */
int requests_add(struct requests *r, const char *verb, const char *rest);

/* Moves all of them behind others. -1: there is no room, and nothing was moved. */
int requests_pass(struct requests *from, struct requests *to);

/* Takes back all that came after it had that size. */
void requests_unsay(struct requests *r, size_t size);

/* Takes what is to be sent, and forgets it. Gives its length. out has REQUESTS_ROOM. */
size_t requests_take(struct requests *r, char *out);

#endif
