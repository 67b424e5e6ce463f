/* For tests under Wine, whose services are not SYSTEM: takes anybody for the agent.
 * build.sh gives what it goes into a name that is never shipped. */
#include "tile.h"

BOOL peer_is_agent(HANDLE pipe) {
    ULONG id;
    return GetNamedPipeServerProcessId(pipe, &id) && id != 0;
}
