/* Tries what peer.c decides by, as a program of tests under Wine.
 * usage: peer beside OURS THEIRS    whether THEIRS is the agent's path for a DLL at OURS
 *        peer alike THEIRS          whether the file is signed as this program is, if it is
 *        peer system                whether this process is one of SYSTEM
 *        peer trust CERTIFICATE     makes Windows trust one, in a file as DER */
#include "../../native/peer.c"

#include <shellapi.h>
#include <stdio.h>
#include <wincrypt.h>

void *allocate(size_t size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }
void discard(void *bytes) { HeapFree(GetProcessHeap(), 0, bytes); }
DWORD module_path(WCHAR *path, DWORD room) { return GetModuleFileNameW(NULL, path, room); }

static BOOL alike(const WCHAR *theirs) {
    struct paths *p = allocate(sizeof *p);
    module_path(p->ours, PATH);
    memcpy(p->theirs, theirs, (size_t)length_of(theirs) * sizeof *theirs);
    return is_signed_alike(p);
}

static BOOL trust(const WCHAR *path) {
    static BYTE der[8192];
    DWORD size = 0;
    HANDLE file = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, L"Root");
    return ReadFile(file, der, sizeof der, &size, NULL) && store && CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, size, CERT_STORE_ADD_ALWAYS, NULL) &&
           CertCloseStore(store, 0);
}

int main(void) {
    int count;
    WCHAR **args = CommandLineToArgvW(GetCommandLineW(), &count);
    BOOL is;
    if (count == 4 && args[1][0] == 'b') is = is_beside(args[2], args[3]);
    else if (count == 3 && args[1][0] == 'a') is = alike(args[2]);
    else if (count == 2 && args[1][0] == 's') is = is_system(GetCurrentProcess());
    else if (count == 3 && args[1][0] == 't') is = trust(args[2]);
    else return 2;
    puts(is ? "yes" : "no");
    return 0;
}
