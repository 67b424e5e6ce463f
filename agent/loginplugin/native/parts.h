/* What the parts of the core have of each other. */
#ifndef FIRSTDAY_PARTS_H
#define FIRSTDAY_PARTS_H

#include "core.h"

/* desk.c: what the page asks the service. */

/* The verb of such a request. -1: it is none. */
int desk_verb(const char *request);

/* Tells whether a verb was asked for, and has no answer yet. */
int desk_busy(const struct core *c, int verb);

/* Asks; for "join" all that is sent is in desk.join. */
void desk_ask(struct core *c, const char *request, unsigned long long now);

/* Sends what waits, if nothing was sent that has no answer, and the page has taken
 * the last one. */
void desk_go_on(struct core *c, unsigned long long now);

/* Takes a block that may be an answer. 0: it is none. */
int desk_answered(struct core *c, const struct surface_block *b);

/* Says no to the page at once. */
enum core_wish desk_refuse(struct core *c, const char *verb, const char *why);

/* origin.c */

/* Tells whether an address is one of the web, as a browser writes it. */
int is_web(const char *address);

/* page.c */

int begins(const char *text, const char *with);

#endif
