/* The DLL: what COM calls. */
#include "tile.h"

HRESULT provider_new(REFIID id, void **out);

static LONG volatile held;

void hold_module(void) { InterlockedIncrement(&held); }

void drop_module(void) {
    if (InterlockedDecrement(&held) == 0) sentinel_lower();
}

static HRESULT WINAPI query(IClassFactory *f, REFIID id, void **out) {
    if (!out) return E_POINTER;
    *out = NULL;
    if (!IsEqualGUID(id, &IID_of_unknown) && !IsEqualGUID(id, &IID_of_factory)) return E_NOINTERFACE;
    hold_module();
    *out = f;
    return S_OK;
}

/* There is one factory, which does not count who has it. */
static ULONG WINAPI add_ref(IClassFactory *f) {
    (void)f;
    hold_module();
    return 2;
}

static ULONG WINAPI release(IClassFactory *f) {
    (void)f;
    drop_module();
    return 1;
}

static HRESULT WINAPI create(IClassFactory *f, IUnknown *outer, REFIID id, void **out) {
    (void)f;
    if (!out) return E_POINTER;
    *out = NULL;
    return outer ? CLASS_E_NOAGGREGATION : provider_new(id, out);
}

static HRESULT WINAPI lock(IClassFactory *f, BOOL on) {
    (void)f;
    if (on) hold_module();
    else drop_module();
    return S_OK;
}

static const IClassFactoryVtbl table = {query, add_ref, release, create, lock};
static IClassFactory factory = {(IClassFactoryVtbl *)&table};

HRESULT WINAPI DllGetClassObject(REFCLSID class, REFIID id, void **out) {
    if (!out) return E_POINTER;
    *out = NULL;
    if (!IsEqualGUID(class, &CLSID_of_firstday) || is_disabled() || !sentinel_raise()) return CLASS_E_CLASSNOTAVAILABLE;
    hold_module();
    HRESULT result = query(&factory, id, out);
    drop_module();
    return result;
}

HRESULT WINAPI DllCanUnloadNow(void) { return held > 0 ? S_FALSE : S_OK; }
