/* The one credential: the screen of the sign-in, drawn in LogonUI's fields. It
 * decides nothing. */
#include "tile.h"

#include <string.h>

enum { TYPED = 600 }; /* characters of a field; no more fit into a request anyhow */

struct credential {
    Credential i;
    Options options; /* of the same object */
    LONG refs;
    struct tile *t;
    WCHAR typed[SURFACE_LIST][TYPED];
    BOOL too_long[SURFACE_LIST];
};

static struct credential *of(Credential *i) { return CONTAINING_RECORD(i, struct credential, i); }

static void forget_typed(struct credential *c) {
    core_wipe(c->typed, sizeof c->typed);
    core_wipe(c->too_long, sizeof c->too_long);
}

/* The numbers of fields. */
static BOOL is_input(DWORD id) { return id >= FIELD_INPUT && id < FIELD_SUBMIT; }
static int input_of(DWORD id) { return (int)(id - FIELD_INPUT) / 3; }
static int part_of(DWORD id) { return (int)(id - FIELD_INPUT) % 3; }
static BOOL is_link(DWORD id) { return id >= FIELD_LINK && id < FIELD_NOTE; }

int field_type(DWORD id) {
    static const int parts[] = {CPFT_SMALL_TEXT, CPFT_EDIT_TEXT, CPFT_PASSWORD_TEXT};
    if (is_input(id)) return parts[part_of(id)];
    if (is_link(id)) return CPFT_COMMAND_LINK;
    switch (id) {
    case FIELD_IMAGE: return CPFT_TILE_IMAGE;
    case FIELD_SUBMIT: return CPFT_SUBMIT_BUTTON;
    case FIELD_TITLE:
    case FIELD_CODE: return CPFT_LARGE_TEXT;
    default: return CPFT_SMALL_TEXT;
    }
}

/* The action of a link, -1 if there is none: where there is something to type,
 * the primary one is the button beside it. */
static int action_of(const struct core_screen *s, DWORD id) {
    int action = (int)(id - FIELD_LINK);
    return action < s->action_count && !(s->actions[action].primary && s->field_count > 0) ? action : -1;
}

/* What stands in a field that cannot be typed into, "" if it is not shown. */
static const char *shown(const struct core_screen *s, DWORD id) {
    if (is_input(id)) return part_of(id) == 0 && input_of(id) < s->field_count ? s->fields[input_of(id)].label : "";
    if (is_link(id)) return action_of(s, id) >= 0 ? s->actions[action_of(s, id)].label : "";
    switch (id) {
    case FIELD_TITLE: return s->title;
    case FIELD_MESSAGE: return s->message;
    case FIELD_CODE: return s->code;
    case FIELD_URI: return s->uri;
    case FIELD_SUBMIT: return core_primary(s) >= 0 ? s->actions[core_primary(s)].label : "";
    case FIELD_NOTE: return s->note;
    default: return "";
    }
}

const char *field_label(const struct core_screen *s, DWORD id) {
    if (is_input(id)) return input_of(id) < s->field_count ? s->fields[input_of(id)].label : "";
    return id == FIELD_IMAGE ? s->title : shown(s, id);
}

/* Tells whether a person can type here. */
static BOOL is_typed(const struct core_screen *s, DWORD id) {
    return is_input(id) && part_of(id) > 0 && input_of(id) < s->field_count && (part_of(id) == 2) == (s->fields[input_of(id)].secret != 0);
}

static HRESULT WINAPI query(Credential *i, REFIID id, void **out) {
    if (!out) return E_POINTER;
    *out = NULL;
    if (IsEqualGUID(id, &IID_of_options)) *out = &of(i)->options;
    else if (IsEqualGUID(id, &IID_of_unknown) || IsEqualGUID(id, &IID_of_credential) || IsEqualGUID(id, &IID_of_credential2)) *out = i;
    else return E_NOINTERFACE;
    i->v->AddRef(i);
    return S_OK;
}

static ULONG WINAPI add_ref(Credential *i) { return (ULONG)InterlockedIncrement(&of(i)->refs); }

static ULONG WINAPI release(Credential *i) {
    struct credential *c = of(i);
    LONG refs = InterlockedDecrement(&c->refs);
    if (refs > 0) return (ULONG)refs;
    tile_release(c->t);
    core_wipe(c, sizeof *c);
    discard(c);
    drop_module();
    return 0;
}

/* LogonUI draws the button that shows what was typed only where it is told to. */
static HRESULT WINAPI get_options(Options *o, DWORD id, int *options) {
    struct tile *t = CONTAINING_RECORD(o, struct credential, options)->t;
    if (!options) return E_POINTER;
    *options = CPCFO_NONE;
    if (id >= FIELD_COUNT) return E_INVALIDARG;
    AcquireSRWLockShared(&t->lock);
    if (is_typed(&t->drawn, id) && part_of(id) == 2) *options = t->drawn.fields[input_of(id)].digits ? CPCFO_NUMBERS_ONLY : CPCFO_PASSWORD_REVEAL;
    ReleaseSRWLockShared(&t->lock);
    return S_OK;
}

static Credential *whole(Options *o) { return &CONTAINING_RECORD(o, struct credential, options)->i; }
static HRESULT WINAPI query_options(Options *o, REFIID id, void **out) { return query(whole(o), id, out); }
static ULONG WINAPI add_ref_options(Options *o) { return add_ref(whole(o)); }
static ULONG WINAPI release_options(Options *o) { return release(whole(o)); }

static const struct OptionsTable options_table = {query_options, add_ref_options, release_options, get_options};

/* All changes come with CredentialsChanged. */
static HRESULT WINAPI advise(Credential *i, IUnknown *events) {
    (void)events;
    forget_typed(of(i)); /* LogonUI draws anew, and what was typed is not there any more */
    return S_OK;
}

static HRESULT WINAPI un_advise(Credential *i) {
    forget_typed(of(i));
    return S_OK;
}

/* Who comes to the tile after somebody has left it may be somebody else: what was
 * typed before logs nobody on. */
static HRESULT WINAPI set_selected(Credential *i, BOOL *logon) {
    struct tile *t = of(i)->t;
    if (!logon) return E_POINTER;
    sentinel_lower();
    AcquireSRWLockExclusive(&t->lock);
    if (!tile_is_chosen(t)) core_leave(&t->core);
    t->selected = TRUE;
    *logon = tile_can_logon(t);
    ReleaseSRWLockExclusive(&t->lock);
    return S_OK;
}

static HRESULT WINAPI set_deselected(Credential *i) {
    struct tile *t = of(i)->t;
    forget_typed(of(i));
    AcquireSRWLockExclusive(&t->lock);
    if (t->selected) t->left = GetTickCount64();
    t->selected = FALSE;
    ReleaseSRWLockExclusive(&t->lock);
    return S_OK;
}

static BOOL is_visible(const struct core_screen *s, DWORD id) {
    return id == FIELD_IMAGE || is_typed(s, id) || *shown(s, id);
}

static HRESULT WINAPI get_field_state(Credential *i, DWORD id, int *state, int *interactive) {
    struct tile *t = of(i)->t;
    if (!state || !interactive) return E_POINTER;
    if (id >= FIELD_COUNT) return E_INVALIDARG;
    AcquireSRWLockShared(&t->lock);
    BOOL visible = is_visible(&t->drawn, id), focused = is_typed(&t->drawn, id) && input_of(id) == 0;
    ReleaseSRWLockShared(&t->lock);
    *state = !visible ? CPFS_HIDDEN : id <= FIELD_TITLE ? CPFS_BOTH : CPFS_SELECTED;
    *interactive = focused ? CPFIS_FOCUSED : CPFIS_NONE;
    return S_OK;
}

/* What is typed is never told again. */
static HRESULT WINAPI get_string(Credential *i, DWORD id, LPWSTR *text) {
    struct tile *t = of(i)->t;
    if (!text) return E_POINTER;
    *text = NULL;
    if (id >= FIELD_COUNT || id == FIELD_IMAGE) return E_INVALIDARG;
    AcquireSRWLockShared(&t->lock);
    *text = text_of(shown(&t->drawn, id));
    ReleaseSRWLockShared(&t->lock);
    return *text ? S_OK : E_OUTOFMEMORY;
}

static HRESULT WINAPI get_bitmap(Credential *i, DWORD id, HBITMAP *bitmap) {
    struct tile *t = of(i)->t;
    if (!bitmap) return E_POINTER;
    *bitmap = NULL;
    if (id != FIELD_IMAGE) return E_INVALIDARG;
    AcquireSRWLockShared(&t->lock);
    *bitmap = picture_of(&t->drawn);
    ReleaseSRWLockShared(&t->lock);
    return *bitmap ? S_OK : E_OUTOFMEMORY;
}

/* The button stands beside the last field, or beside the message. */
static HRESULT WINAPI get_submit(Credential *i, DWORD id, DWORD *beside) {
    struct tile *t = of(i)->t;
    if (!beside) return E_POINTER;
    if (id != FIELD_SUBMIT) return E_INVALIDARG;
    *beside = FIELD_MESSAGE;
    AcquireSRWLockShared(&t->lock);
    for (DWORD at = FIELD_INPUT; at < FIELD_SUBMIT; at++)
        if (is_typed(&t->drawn, at)) *beside = at;
    ReleaseSRWLockShared(&t->lock);
    return S_OK;
}

/* What does not fit is not kept in part. */
static HRESULT WINAPI set_string(Credential *i, DWORD id, LPCWSTR text) {
    struct credential *c = of(i);
    if (!text) return E_POINTER;
    if (!is_input(id) || part_of(id) == 0) return E_INVALIDARG;
    int input = input_of(id);
    size_t length = 0;
    core_wipe(c->typed[input], sizeof c->typed[input]);
    while (length < TYPED && text[length]) length++;
    c->too_long[input] = length == TYPED;
    if (c->too_long[input]) return E_INVALIDARG;
    memcpy(c->typed[input], text, length * sizeof *text);
    return S_OK;
}

/* The screen that the person sees, with its newest number. Under the lock. */
static const struct core_screen *seen(struct tile *t) {
    if (core_same(&t->drawn, &t->core.screen)) memcpy(t->drawn.serial, t->core.screen.serial, sizeof t->drawn.serial);
    return &t->drawn;
}

/* Presses a button, with values for the fields or none. NULL: it is on its way;
 * else what to tell the person. */
static const char *act(struct tile *t, int action, const char *const *values) {
    const char *problem = NULL;
    AcquireSRWLockExclusive(&t->lock);
    if (!t->core.screen.shown) problem = "The sign-in service does not answer. Please use another way to sign in.";
    else if (t->core.acts > 0) problem = "One moment, please.";
    else if (action < 0 || action >= t->drawn.action_count) problem = "";
    else if (core_act(&t->core, seen(t), t->drawn.actions[action].name, values, GetTickCount64())) problem = "What you typed is too long.";
    ReleaseSRWLockExclusive(&t->lock);
    if (!problem) SetEvent(t->wake);
    return problem;
}

static HRESULT WINAPI command_link(Credential *i, DWORD id) {
    struct tile *t = of(i)->t;
    if (!is_link(id)) return E_INVALIDARG;
    AcquireSRWLockShared(&t->lock);
    int action = action_of(&t->drawn, id);
    ReleaseSRWLockShared(&t->lock);
    act(t, action, NULL);
    return S_OK;
}

struct values {
    char text[SURFACE_LIST][2 * SURFACE_LINE];
    const char *at[SURFACE_LIST];
};

/* Presses the primary button. */
static const char *submit(struct credential *c) {
    const char *problem = NULL;
    struct values *v = allocate(sizeof *v);
    if (!v) return "There is not enough memory.";
    for (int n = 0; n < SURFACE_LIST && !problem; n++) {
        v->at[n] = v->text[n];
        if (c->too_long[n]) problem = "What you typed is too long.";
        else if (!WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, c->typed[n], -1, v->text[n], sizeof v->text[n], NULL, NULL))
            problem = "What you typed has characters that are none.";
    }
    AcquireSRWLockShared(&c->t->lock);
    int primary = core_primary(&c->t->drawn);
    ReleaseSRWLockShared(&c->t->lock);
    if (!problem) problem = act(c->t, primary, v->at);
    core_wipe(v, sizeof *v);
    discard(v);
    return problem;
}

/* Hands over what the person is logged on with, once. FALSE: there is nothing. */
static BOOL hand_over(struct tile *t, struct serialization *out) {
    AcquireSRWLockExclusive(&t->lock);
    BYTE *bytes = tile_can_logon(t) ? CoTaskMemAlloc(t->core.blob_size) : NULL;
    if (bytes) {
        memcpy(bytes, t->core.blob, t->core.blob_size);
        out->bytes = bytes;
        out->size = (ULONG)t->core.blob_size;
        out->package = t->package;
        out->provider = CLSID_of_firstday;
        core_leave(&t->core);
        t->found = FALSE;
    }
    ReleaseSRWLockExclusive(&t->lock);
    return bytes != NULL;
}

static HRESULT WINAPI get_serialization(Credential *i, int *response, struct serialization *out, LPWSTR *text, int *icon) {
    struct credential *c = of(i);
    if (!response || !out || !text || !icon) return E_POINTER;
    *response = CPGSR_NOT_FINISHED;
    *text = NULL;
    *icon = CPSI_NONE;
    memset(out, 0, sizeof *out);
    if (hand_over(c->t, out)) {
        forget_typed(c);
        *response = CPGSR_RETURN_FINISHED;
        return S_OK;
    }
    const char *problem = submit(c);
    if (problem && *problem) {
        *text = text_of(problem);
        *icon = CPSI_WARNING;
    }
    return S_OK;
}

/* Windows says what is wrong better than we could. */
static HRESULT WINAPI report(Credential *i, LONG status, LONG detail, LPWSTR *text, int *icon) {
    (void)i, (void)status, (void)detail;
    if (!text || !icon) return E_POINTER;
    *text = NULL;
    *icon = CPSI_NONE;
    return S_OK;
}

/* The tile is its own, not one of a user. */
static HRESULT WINAPI get_user_sid(Credential *i, LPWSTR *sid) {
    (void)i;
    if (!sid) return E_POINTER;
    *sid = NULL;
    return S_FALSE;
}

static HRESULT WINAPI no_checkbox(Credential *i, DWORD id, BOOL *checked, LPWSTR *label) {
    (void)i, (void)id, (void)checked, (void)label;
    return E_NOTIMPL;
}
static HRESULT WINAPI no_combo_count(Credential *i, DWORD id, DWORD *count, DWORD *selected) {
    (void)i, (void)id, (void)count, (void)selected;
    return E_NOTIMPL;
}
static HRESULT WINAPI no_combo(Credential *i, DWORD id, DWORD at, LPWSTR *text) {
    (void)i, (void)id, (void)at, (void)text;
    return E_NOTIMPL;
}
static HRESULT WINAPI no_check(Credential *i, DWORD id, BOOL checked) {
    (void)i, (void)id, (void)checked;
    return E_NOTIMPL;
}
static HRESULT WINAPI no_select(Credential *i, DWORD id, DWORD at) {
    (void)i, (void)id, (void)at;
    return E_NOTIMPL;
}

static const struct CredentialTable table = {
    query, add_ref, release, advise, un_advise, set_selected, set_deselected, get_field_state, get_string, get_bitmap, no_checkbox, get_submit,
    no_combo_count, no_combo, set_string, no_check, no_select, command_link, get_serialization, report, get_user_sid,
};

Credential *credential_new(struct tile *t) {
    struct credential *c = allocate(sizeof *c);
    if (!c) return NULL;
    c->i.v = &table;
    c->options.v = &options_table;
    c->refs = 1;
    c->t = t;
    InterlockedIncrement(&t->refs);
    hold_module();
    return &c->i;
}
