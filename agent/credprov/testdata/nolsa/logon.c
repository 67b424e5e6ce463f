/* For tests under Wine, which knows no Negotiate. */
#include "tile.h"

BOOL find_negotiate(ULONG *package) {
    *package = 4711;
    return TRUE;
}
