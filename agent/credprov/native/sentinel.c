/* What keeps us from bringing LogonUI down again and again. */
#include "tile.h"

enum { STRIKES = 3, PATH = 1024 };

extern IMAGE_DOS_HEADER __ImageBase; /* of the linker: where the DLL is */

DWORD module_path(WCHAR *path, DWORD room) {
    DWORD length = GetModuleFileNameW((HMODULE)&__ImageBase, path, room);
    return length < room ? length : 0;
}

/* The file beside the DLL: one for each version, which has a folder of its own. */
static BOOL sentinel_path(WCHAR *path) {
    static const WCHAR end[] = L".starts";
    DWORD length = module_path(path, PATH - sizeof end / sizeof *end);
    if (length == 0) return FALSE;
    for (DWORD i = 0; i < sizeof end / sizeof *end; i++) path[length + i] = end[i];
    return TRUE;
}

/* Adds a byte, which a process that crashes leaves. FALSE: there were too many.
 * Who may not write here is not LogonUI. */
BOOL sentinel_raise(void) {
    BOOL fine = TRUE;
    LARGE_INTEGER size;
    DWORD count;
    WCHAR *path = allocate(PATH * sizeof *path);
    if (!path || !sentinel_path(path)) goto out;
    HANDLE file = CreateFileW(path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) goto out;
    fine = !GetFileSizeEx(file, &size) || size.QuadPart < STRIKES;
    if (fine) WriteFile(file, "!", 1, &count, NULL);
    CloseHandle(file);
out:
    if (path) discard(path);
    return fine;
}

void sentinel_lower(void) {
    WCHAR *path = allocate(PATH * sizeof *path);
    if (path && sentinel_path(path)) DeleteFileW(path);
    if (path) discard(path);
}

/* The switch of administrators, and of the agent's watchdog. */
BOOL is_disabled(void) {
    DWORD value = 0, size = sizeof value;
    return RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Firstday\\CredentialProvider", L"Disabled", RRF_RT_REG_DWORD, NULL, &value, &size) == 0 && value != 0;
}
