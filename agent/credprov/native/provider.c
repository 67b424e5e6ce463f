/* The provider: at most one tile, beside those of Windows, and never the one that
 * is chosen by itself. Wherever something is missing there is no tile. */
#include "tile.h"

#include <string.h>

struct provider {
    Provider i;
    SetUsers users;
    LONG refs;
    BOOL signing_in; /* it is at a sign-in screen */
    struct tile *t;  /* NULL: there is nothing to show, ever */
    Credential *credential;
};

static struct provider *of(Provider *i) { return CONTAINING_RECORD(i, struct provider, i); }

static HRESULT WINAPI query(Provider *i, REFIID id, void **out) {
    if (!out) return E_POINTER;
    *out = NULL;
    if (IsEqualGUID(id, &IID_of_unknown) || IsEqualGUID(id, &IID_of_provider)) *out = i;
    else if (IsEqualGUID(id, &IID_of_set_users)) *out = &of(i)->users;
    else return E_NOINTERFACE;
    i->v->AddRef(i);
    return S_OK;
}

static ULONG WINAPI add_ref(Provider *i) { return (ULONG)InterlockedIncrement(&of(i)->refs); }

/* Has the tile tell nobody any more, or somebody else. */
static void listen(struct tile *t, Events *events, UINT_PTR context) {
    if (events) events->v->AddRef(events);
    AcquireSRWLockExclusive(&t->lock);
    Events *before = t->events;
    t->events = events;
    t->context = context;
    t->told.once = FALSE;
    ReleaseSRWLockExclusive(&t->lock);
    if (before) before->v->Release(before);
}

static void end(struct provider *p) {
    if (p->credential) p->credential->v->Release(p->credential);
    p->credential = NULL;
    if (!p->t) return;
    listen(p->t, NULL, 0);
    tile_close(p->t);
    p->t = NULL;
}

static ULONG WINAPI release(Provider *i) {
    struct provider *p = of(i);
    LONG refs = InterlockedDecrement(&p->refs);
    if (refs > 0) return (ULONG)refs;
    end(p);
    discard(p);
    drop_module();
    return 0;
}

static void begin(struct provider *p) {
    if (p->signing_in && !p->t) p->t = tile_open();
}

/* Nobody is signed in for the first time at a locked screen, a dialogue of a
 * program, or where a password is changed. */
static HRESULT WINAPI set_usage(Provider *i, int usage, DWORD flags) {
    (void)flags;
    if (usage != CPUS_LOGON) return E_NOTIMPL;
    of(i)->signing_in = TRUE;
    begin(of(i));
    return S_OK;
}

static HRESULT WINAPI set_serialization(Provider *i, const struct serialization *from) {
    (void)i, (void)from;
    return E_NOTIMPL;
}

static HRESULT WINAPI advise(Provider *i, Events *events, UINT_PTR context) {
    begin(of(i));
    if (of(i)->t) listen(of(i)->t, events, context);
    return S_OK;
}

static HRESULT WINAPI un_advise(Provider *i) {
    end(of(i));
    sentinel_lower();
    return S_OK;
}

static HRESULT WINAPI get_field_count(Provider *i, DWORD *count) {
    (void)i;
    if (!count) return E_POINTER;
    *count = FIELD_COUNT;
    return S_OK;
}

/* The label is what is read aloud, and what stands in an empty field. */
static LPWSTR label_of(struct tile *t, DWORD id) {
    if (!t) return text_of("");
    AcquireSRWLockShared(&t->lock);
    LPWSTR label = text_of(field_label(&t->core.screen, id));
    ReleaseSRWLockShared(&t->lock);
    return label;
}

static HRESULT WINAPI get_field(Provider *i, DWORD id, struct descriptor **out) {
    if (!out) return E_POINTER;
    *out = NULL;
    if (id >= FIELD_COUNT) return E_INVALIDARG;
    struct descriptor *d = CoTaskMemAlloc(sizeof *d);
    if (!d) return E_OUTOFMEMORY;
    memset(d, 0, sizeof *d);
    d->id = id;
    d->type = field_type(id);
    d->label = label_of(of(i)->t, id);
    if (!d->label) {
        CoTaskMemFree(d);
        return E_OUTOFMEMORY;
    }
    *out = d;
    return S_OK;
}

/* Answers at once, by what was heard last. The tile is the default one only as
 * long as the person has chosen it. */
static HRESULT WINAPI get_count(Provider *i, DWORD *count, DWORD *first, BOOL *logon) {
    struct tile *t = of(i)->t;
    if (!count || !first || !logon) return E_POINTER;
    *count = 0;
    *first = NO_DEFAULT;
    *logon = FALSE;
    if (!t) return S_OK;
    AcquireSRWLockExclusive(&t->lock);
    BOOL chosen = tile_is_chosen(t);
    memcpy(&t->drawn, &t->core.screen, sizeof t->drawn);
    t->drawn_logon = tile_can_logon(t);
    t->to_stay_so = FALSE;
    if (t->drawn.shown) {
        *count = 1;
        if (chosen) *first = 0;
        t->selected = chosen; /* LogonUI may still have to say so, when we speak up again */
        *logon = chosen && t->drawn_logon;
    } else {
        t->selected = FALSE;
        t->left = 0;
    }
    ReleaseSRWLockExclusive(&t->lock);
    return S_OK;
}

static HRESULT WINAPI get_credential(Provider *i, DWORD at, Credential **out) {
    struct provider *p = of(i);
    if (!out) return E_POINTER;
    *out = NULL;
    if (at > 0 || !p->t) return E_INVALIDARG;
    if (!p->credential) p->credential = credential_new(p->t);
    if (!p->credential) return E_OUTOFMEMORY;
    p->credential->v->AddRef(p->credential);
    *out = p->credential;
    return S_OK;
}

static const struct ProviderTable table = {
    query, add_ref, release, set_usage, set_serialization, advise, un_advise, get_field_count, get_field, get_count, get_credential,
};

static Provider *provider_of(SetUsers *users) { return &CONTAINING_RECORD(users, struct provider, users)->i; }
static HRESULT WINAPI users_query(SetUsers *u, REFIID id, void **out) { return query(provider_of(u), id, out); }
static ULONG WINAPI users_add_ref(SetUsers *u) { return add_ref(provider_of(u)); }
static ULONG WINAPI users_release(SetUsers *u) { return release(provider_of(u)); }

/* The tile is of nobody who is there: whoever they are, and if nobody tells. */
static HRESULT WINAPI set_users(SetUsers *u, IUnknown *users) {
    (void)u, (void)users;
    return S_OK;
}

static const struct SetUsersTable users_table = {users_query, users_add_ref, users_release, set_users};

HRESULT provider_new(REFIID id, void **out) {
    struct provider *p = allocate(sizeof *p);
    if (!p) return E_OUTOFMEMORY;
    p->i.v = &table;
    p->users.v = &users_table;
    p->refs = 1;
    hold_module();
    HRESULT result = query(&p->i, id, out);
    release(&p->i);
    return result;
}
