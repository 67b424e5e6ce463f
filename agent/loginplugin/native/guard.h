/* FirstdayLogin:guard,privileged, which runs directly after the window's mechanism
 * and lets pass who has a name and a password. Whenever anything went wrong before
 * it, it puts Apple's login window back into the authorization database: by the
 * agent that came with this plug-in, or without one, by the system's own tool. What
 * the database holds afterwards counts, not how a program ended: a host that ignores
 * SIGCHLD is not told.
 *
 * Then it cancels. A denial would have authd run the list again that it has in
 * memory, ours, up to the right's 10000 tries (authd/engine.c); after a
 * cancellation whoever asks next has the database read. If nothing could be put
 * back, a denial after a pause is what is left: the window may be there again. */
#ifndef FIRSTDAY_GUARD_H
#define FIRSTDAY_GUARD_H

#include "abi.h"

/* Runs it. There is a result when it returns. */
void guard_run(const AuthorizationCallbacks *calls, void *engine);

/* Makes Apple's of a definition of the right: our window's line becomes Apple's,
 * the guard's goes. -1: what is left is not a list with one login window. */
int guard_edit(char *text);

#endif
