/* Who serves the pipe: nothing is sent to anybody but the agent. */
#include "tile.h"

#include <wintrust.h>
#include <softpub.h>

#include <string.h>

extern IMAGE_DOS_HEADER __ImageBase;

enum { PATH = 1024, SUBJECT = 1024 };

#define AGENT L"firstday-agent.exe"

static BOOL is_system(HANDLE process) {
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } of;
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(process, TOKEN_QUERY, &token)) return FALSE;
    BOOL is = GetTokenInformation(token, TokenUser, &of, sizeof of, &size) && IsWellKnownSid(of.user.User.Sid, WinLocalSystemSid);
    CloseHandle(token);
    return is;
}

static int length_of(const WCHAR *text) {
    int length = 0;
    while (text[length]) length++;
    return length;
}

/* How much of a path is its folder, with the separator at its end. */
static int folder_of(const WCHAR *path, int length) {
    while (length > 0 && path[length - 1] != L'\\') length--;
    return length;
}

static BOOL same_text(const WCHAR *a, int a_length, const WCHAR *b, int b_length) {
    return CompareStringOrdinal(a, a_length, b, b_length, TRUE) == CSTR_EQUAL;
}

/* Both lie in a folder of a version, which may differ after an update; those lie
 * in one folder, into which only the system and administrators write. */
static BOOL is_beside(const WCHAR *ours, const WCHAR *theirs) {
    int our_version = folder_of(ours, length_of(ours)), our_folder = folder_of(ours, our_version - 1);
    int their_version = folder_of(theirs, length_of(theirs)), their_folder = folder_of(theirs, their_version - 1);
    return our_folder > 0 && same_text(ours, our_folder, theirs, their_folder) && same_text(theirs + their_version, -1, AGENT, -1);
}

/* Where the signature of a loaded file is, 0 if it has none. */
static DWORD signature_of(const BYTE *image) {
    const IMAGE_NT_HEADERS64 *head = (const void *)(image + ((const IMAGE_DOS_HEADER *)image)->e_lfanew);
    return head->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_SECURITY].VirtualAddress;
}

struct subject {
    DWORD size;
    BYTE name[SUBJECT];
};

/* What no policy of a device lets pass. */
static const DWORD untrusted = CERT_TRUST_IS_NOT_SIGNATURE_VALID | CERT_TRUST_IS_UNTRUSTED_ROOT | CERT_TRUST_IS_PARTIAL_CHAIN;

static BOOL take_subject(HANDLE state, struct subject *out) {
    CRYPT_PROVIDER_DATA *data = WTHelperProvDataFromStateData(state);
    CRYPT_PROVIDER_SGNR *signer = data ? WTHelperGetProvSignerFromChain(data, 0, FALSE, 0) : NULL;
    CRYPT_PROVIDER_CERT *leaf = signer ? WTHelperGetProvCertFromChain(signer, 0) : NULL;
    if (!leaf || !signer->pChainContext || signer->pChainContext->TrustStatus.dwErrorStatus & untrusted) return FALSE;
    if (leaf->pCert->pCertInfo->Subject.cbData > sizeof out->name) return FALSE;
    out->size = leaf->pCert->pCertInfo->Subject.cbData;
    memcpy(out->name, leaf->pCert->pCertInfo->Subject.pbData, out->size);
    return TRUE;
}

/* Tells who has signed a file, if Windows trusts them. It asks nobody outside. */
static BOOL find_subject(const WCHAR *path, struct subject *out) {
    GUID action = WINTRUST_ACTION_GENERIC_VERIFY_V2;
    WINTRUST_FILE_INFO file = {.cbStruct = sizeof file, .pcwszFilePath = path};
    WINTRUST_DATA data = {
        .cbStruct = sizeof data, .dwUIChoice = WTD_UI_NONE, .fdwRevocationChecks = WTD_REVOKE_NONE, .dwUnionChoice = WTD_CHOICE_FILE,
        .pFile = &file, .dwStateAction = WTD_STATEACTION_VERIFY, .dwProvFlags = WTD_CACHE_ONLY_URL_RETRIEVAL | WTD_REVOCATION_CHECK_NONE};
    BOOL known = WinVerifyTrust(INVALID_HANDLE_VALUE, &action, &data) == 0 && take_subject(data.hWVTStateData, out);
    data.dwStateAction = WTD_STATEACTION_CLOSE;
    WinVerifyTrust(INVALID_HANDLE_VALUE, &action, &data);
    return known;
}

struct paths {
    WCHAR ours[PATH], theirs[PATH];
    struct subject our_signer, their_signer;
};

/* Where we are signed, so is the agent, and by the same. */
static BOOL is_signed_alike(struct paths *p) {
    if (signature_of((const BYTE *)&__ImageBase) == 0) return TRUE;
    return find_subject(p->ours, &p->our_signer) && find_subject(p->theirs, &p->their_signer) && p->our_signer.size == p->their_signer.size &&
           !memcmp(p->our_signer.name, p->their_signer.name, p->our_signer.size);
}

static BOOL is_agent(HANDLE process) {
    DWORD length = PATH;
    struct paths *p = allocate(sizeof *p);
    BOOL is = p && is_system(process) && module_path(p->ours, PATH) > 0 && QueryFullProcessImageNameW(process, 0, p->theirs, &length) &&
              is_beside(p->ours, p->theirs) && is_signed_alike(p);
    if (p) discard(p);
    return is;
}

BOOL peer_is_agent(HANDLE pipe) {
    ULONG id;
    if (!GetNamedPipeServerProcessId(pipe, &id)) return FALSE;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, id);
    if (!process) return FALSE;
    BOOL is = is_agent(process);
    CloseHandle(process);
    return is;
}
