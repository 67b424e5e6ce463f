/* Who takes what a person is logged on with. */
#include "tile.h"

#include <ntsecapi.h>

BOOL find_negotiate(ULONG *package) {
    static char name[] = "Negotiate";
    LSA_STRING negotiate = {sizeof name - 1, sizeof name, name};
    HANDLE lsa;
    if (LsaConnectUntrusted(&lsa) != 0) return FALSE;
    NTSTATUS status = LsaLookupAuthenticationPackage(lsa, &negotiate, package);
    LsaDeregisterLogonProcess(lsa);
    return status == 0;
}
