/* The credential providers' interfaces, as Microsoft documents them: Debian's
 * headers have none. Only what we implement or call. */
#ifndef FIRSTDAY_ABI_H
#define FIRSTDAY_ABI_H

#define CINTERFACE
#define COBJMACROS
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <objbase.h>

enum usage { CPUS_LOGON = 1 };

enum field_type {
    CPFT_LARGE_TEXT = 1,
    CPFT_SMALL_TEXT,
    CPFT_COMMAND_LINK,
    CPFT_EDIT_TEXT,
    CPFT_PASSWORD_TEXT,
    CPFT_TILE_IMAGE,
    CPFT_SUBMIT_BUTTON = 9
};

enum field_state { CPFS_HIDDEN, CPFS_SELECTED, CPFS_BOTH = 3 };
enum interactive { CPFIS_NONE, CPFIS_FOCUSED = 3 };
enum response { CPGSR_NOT_FINISHED, CPGSR_RETURN_FINISHED = 2 };
enum icon { CPSI_NONE, CPSI_ERROR, CPSI_WARNING };

enum option { CPCFO_NONE, CPCFO_PASSWORD_REVEAL = 1, CPCFO_NUMBERS_ONLY = 8 };

#define NO_DEFAULT ((DWORD)-1)

struct descriptor { /* CREDENTIAL_PROVIDER_FIELD_DESCRIPTOR */
    DWORD id;
    int type;
    LPWSTR label;
    GUID kind;
};

struct serialization { /* CREDENTIAL_PROVIDER_CREDENTIAL_SERIALIZATION */
    ULONG package;
    GUID provider;
    ULONG size;
    BYTE *bytes;
};

_Static_assert(sizeof(struct descriptor) == 32 && sizeof(struct serialization) == 32, "as on any 64 bits");

#define UNKNOWN(T)                                             \
    HRESULT(WINAPI *QueryInterface)(T *, REFIID, void **);     \
    ULONG(WINAPI *AddRef)(T *);                                \
    ULONG(WINAPI *Release)(T *)

typedef struct Events Events; /* ICredentialProviderEvents */
struct EventsTable {
    UNKNOWN(Events);
    HRESULT(WINAPI *CredentialsChanged)(Events *, UINT_PTR);
};
struct Events { const struct EventsTable *v; };

typedef struct Credential Credential; /* ICredentialProviderCredential2 */
struct CredentialTable {
    UNKNOWN(Credential);
    HRESULT(WINAPI *Advise)(Credential *, IUnknown *);
    HRESULT(WINAPI *UnAdvise)(Credential *);
    HRESULT(WINAPI *SetSelected)(Credential *, BOOL *);
    HRESULT(WINAPI *SetDeselected)(Credential *);
    HRESULT(WINAPI *GetFieldState)(Credential *, DWORD, int *, int *);
    HRESULT(WINAPI *GetStringValue)(Credential *, DWORD, LPWSTR *);
    HRESULT(WINAPI *GetBitmapValue)(Credential *, DWORD, HBITMAP *);
    HRESULT(WINAPI *GetCheckboxValue)(Credential *, DWORD, BOOL *, LPWSTR *);
    HRESULT(WINAPI *GetSubmitButtonValue)(Credential *, DWORD, DWORD *);
    HRESULT(WINAPI *GetComboBoxValueCount)(Credential *, DWORD, DWORD *, DWORD *);
    HRESULT(WINAPI *GetComboBoxValueAt)(Credential *, DWORD, DWORD, LPWSTR *);
    HRESULT(WINAPI *SetStringValue)(Credential *, DWORD, LPCWSTR);
    HRESULT(WINAPI *SetCheckboxValue)(Credential *, DWORD, BOOL);
    HRESULT(WINAPI *SetComboBoxSelectedValue)(Credential *, DWORD, DWORD);
    HRESULT(WINAPI *CommandLinkClicked)(Credential *, DWORD);
    HRESULT(WINAPI *GetSerialization)(Credential *, int *, struct serialization *, LPWSTR *, int *);
    HRESULT(WINAPI *ReportResult)(Credential *, LONG, LONG, LPWSTR *, int *);
    HRESULT(WINAPI *GetUserSid)(Credential *, LPWSTR *);
};
struct Credential { const struct CredentialTable *v; };

typedef struct Options Options; /* ICredentialProviderCredentialWithFieldOptions */
struct OptionsTable {
    UNKNOWN(Options);
    HRESULT(WINAPI *GetFieldOptions)(Options *, DWORD, int *);
};
struct Options { const struct OptionsTable *v; };

typedef struct Provider Provider; /* ICredentialProvider */
struct ProviderTable {
    UNKNOWN(Provider);
    HRESULT(WINAPI *SetUsageScenario)(Provider *, int, DWORD);
    HRESULT(WINAPI *SetSerialization)(Provider *, const struct serialization *);
    HRESULT(WINAPI *Advise)(Provider *, Events *, UINT_PTR);
    HRESULT(WINAPI *UnAdvise)(Provider *);
    HRESULT(WINAPI *GetFieldDescriptorCount)(Provider *, DWORD *);
    HRESULT(WINAPI *GetFieldDescriptorAt)(Provider *, DWORD, struct descriptor **);
    HRESULT(WINAPI *GetCredentialCount)(Provider *, DWORD *, DWORD *, BOOL *);
    HRESULT(WINAPI *GetCredentialAt)(Provider *, DWORD, Credential **);
};
struct Provider { const struct ProviderTable *v; };

typedef struct SetUsers SetUsers; /* ICredentialProviderSetUserArray */
struct SetUsersTable {
    UNKNOWN(SetUsers);
    HRESULT(WINAPI *SetUserArray)(SetUsers *, IUnknown *);
};
struct SetUsers { const struct SetUsersTable *v; };

#define UUID_OF(name, ...) static const GUID name __attribute__((unused)) = __VA_ARGS__
UUID_OF(IID_of_unknown, {0, 0, 0, {0xc0, 0, 0, 0, 0, 0, 0, 0x46}});
UUID_OF(IID_of_factory, {1, 0, 0, {0xc0, 0, 0, 0, 0, 0, 0, 0x46}});
UUID_OF(IID_of_provider, {0xd27c3481, 0x5a1c, 0x45b2, {0x8a, 0xaa, 0xc2, 0x0e, 0xbb, 0xe8, 0x22, 0x9e}});
UUID_OF(IID_of_credential, {0x63913a93, 0x40c1, 0x481a, {0x81, 0x8d, 0x40, 0x72, 0xff, 0x8c, 0x70, 0xcc}});
UUID_OF(IID_of_credential2, {0xfd672c54, 0x40ea, 0x4d6e, {0x9b, 0x49, 0xcf, 0xb1, 0xa7, 0x50, 0x7b, 0xd7}});
UUID_OF(IID_of_options, {0xdbc6fb30, 0xc843, 0x49e3, {0xa6, 0x45, 0x57, 0x3e, 0x6f, 0x39, 0x44, 0x6a}});
UUID_OF(IID_of_set_users, {0x095c1484, 0x1c0c, 0x4388, {0x9c, 0x6d, 0x50, 0x0e, 0x61, 0xbf, 0x84, 0xbd}});

/* Ours: {287BFA49-BAD6-483D-8E25-E7C626759CD4}. It never changes: Windows and
 * its policies know the provider by it. */
UUID_OF(CLSID_of_firstday, {0x287bfa49, 0xbad6, 0x483d, {0x8e, 0x25, 0xe7, 0xc6, 0x26, 0x75, 0x9c, 0xd4}});

#endif
