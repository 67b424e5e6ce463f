/* Tries which paths peer.c takes for the agent's, as a program of tests under Wine.
 * usage: peer OURS THEIRS    says yes or no, for a DLL at OURS */
#include "../../native/peer.c"

#include <shellapi.h>
#include <stdio.h>

void *allocate(size_t size) { return HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size); }
void discard(void *bytes) { HeapFree(GetProcessHeap(), 0, bytes); }
DWORD module_path(WCHAR *path, DWORD room) { return GetModuleFileNameW(NULL, path, room); }

int main(void) {
    int count;
    WCHAR **args = CommandLineToArgvW(GetCommandLineW(), &count);
    if (count != 3) return 2;
    puts(is_beside(args[1], args[2]) ? "yes" : "no");
    return 0;
}
