/* What stands in for EmbeddedBrowserWebView.dll in tests under Wine, where the real
   one does not run. It does what DOUBLE_MODE says, tells what it is asked for as
   lines of the file DOUBLE_LOG, and raises events as a hostile page would. */
#include <windows.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum kind { ENVIRONMENT, OPTIONS, CONTROLLER, VIEW, SETTINGS, ARGUMENTS };

struct object {
    void **methods;
    enum kind kind;
    const char *name;
    const wchar_t *text; /* of arguments */
    int number;
    int values[128];     /* of switches, by the place of their put method */
    void *handlers[128]; /* by the place of their add method */
};

static void *methods[128];
static struct object environment = {methods, ENVIRONMENT, "environment"}, options = {methods, OPTIONS, "options"},
                     controller = {methods, CONTROLLER, "controller"}, view = {methods, VIEW, "view"}, settings = {methods, SETTINGS, "settings"};
static void *made; /* handler of the controller */
static wchar_t source[4096] = L"about:blank";
static int navigated;

static int mode(const char *name) {
    char now[64] = "";
    GetEnvironmentVariableA("DOUBLE_MODE", now, sizeof now);
    return !strcmp(now, name);
}

static void tell(const char *format, ...) {
    char path[MAX_PATH];
    if (!GetEnvironmentVariableA("DOUBLE_LOG", path, sizeof path)) return;
    FILE *f = fopen(path, "ab");
    if (!f) return;
    va_list args;
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fputc('\n', f);
    fclose(f);
}

typedef HRESULT (*invoke)(void *, uintptr_t, void *);

static void call(void *handler, uintptr_t first, void *about) {
    if (handler) ((invoke)(*(void ***)handler)[3])(handler, first, about);
}

static struct object *raise_event(int place, const char *name, const wchar_t *text, int number) {
    static struct object a;
    memset(&a, 0, sizeof a);
    a.methods = methods, a.kind = ARGUMENTS, a.name = name, a.text = text, a.number = number;
    if (!(place == 13 ? controller : view).handlers[place]) tell("nobody listens to %s", name);
    call((place == 13 ? controller : view).handlers[place], (uintptr_t)&view, &a);
    return &a;
}

/* go is what a page does that goes somewhere. */
static void go(const wchar_t *to, int frame) {
    struct object *a = raise_event(frame ? 17 : 7, frame ? "frame" : "navigation", to, 0);
    tell("%s %ls: %s", frame ? "frame" : "navigation", to, a->values[8] ? "cancelled" : "goes on");
    if (frame || a->values[8]) return;
    wcscpy(source, to);
    raise_event(11, "source", 0, 0);
}

static void play(void) {
    go(source, 0);
    raise_event(15, "completed", 0, !mode("no-page"));
    if (mode("quiet")) return;
    go(L"https://login.example/authorize?state=1", 0);
    raise_event(15, "completed", 0, 0); /* a wrong password has such a status */
    go(L"https://evil.example/", 0);
    go(L"file:///C:/Windows/System32/cmd.exe", 0);
    go(L"ms-settings:signinoptions", 0);
    go(L"data:text/html,x", 1);
    go(L"https://login.example/frame", 1);
    raise_event(44, "new window", L"https://login.example/new", 0);
    raise_event(44, "new window", L"https://evil.example/new", 0);
    raise_event(23, "permission", 0, 0);
    raise_event(75, "download", 0, 0);
    raise_event(77, "client certificate", 0, 0);
    raise_event(97, "basic authentication", 0, 0);
    raise_event(106, "bad certificate", 0, 0);
    raise_event(117, "other program", 0, 0);
    raise_event(25, "process failed", 0, 6); /* the GPU's: the browser starts it again */
    tell("played");
    if (mode("lost")) raise_event(25, "process failed", 0, 1);
}

static void CALLBACK later(HWND w, UINT m, UINT_PTR id, DWORD t) {
    KillTimer(0, id);
    if (mode("no-controller")) call(made, (uintptr_t)E_ABORT, 0);
    else if (mode("dies")) TerminateProcess(GetCurrentProcess(), 99);
    else call(made, 0, &controller);
}

static void CALLBACK later_play(HWND w, UINT m, UINT_PTR id, DWORD t) {
    KillTimer(0, id);
    play();
}

static wchar_t *copy(const wchar_t *text) {
    wchar_t *out = CoTaskMemAlloc(2 * (wcslen(text) + 1));
    return out ? wcscpy(out, text) : out;
}

static HRESULT query(struct object *o, const GUID *id, void **out) {
    static const GUID settings6 = {0x11cb3acd, 0x9bc8, 0x43b8, {0x83, 0xbf, 0xf4, 0x07, 0x53, 0x71, 0x4f, 0x87}};
    *out = 0;
    if (mode("old") && IsEqualGUID(id, &settings6)) return E_NOINTERFACE;
    *out = o;
    return S_OK;
}

static HRESULT of_view(int place, uintptr_t a, uintptr_t b) {
    switch (place) {
    case 3: *(void **)a = &settings; return S_OK;
    case 4: *(wchar_t **)a = copy(source); return S_OK;
    case 5:
        tell("view goes to %ls", (wchar_t *)a);
        if (!navigated) {
            navigated = 1;
            wcscpy(source, (wchar_t *)a);
            SetTimer(0, 0, 10, later_play);
        }
        return S_OK;
    case 27: tell("script of %s", wcsstr((wchar_t *)a, L"print") ? "ours" : "others"); return S_OK;
    }
    view.handlers[place] = (void *)a;
    *(int64_t *)b = 1;
    return S_OK;
}

static HRESULT called(struct object *o, int place, uintptr_t a, uintptr_t b, uintptr_t c) {
    if (place == 0) return query(o, (GUID *)a, (void **)b);
    if (place < 3) return 1; /* references: all are of static storage */
    switch (o->kind) {
    case ENVIRONMENT:
        if (place == 20) { *(void **)a = &options; return S_OK; }
        if (place != 21 || !IsWindow((HWND)a) || (void *)b != &options) return E_NOTIMPL;
        tell("controller, private: %d", options.values[6]);
        made = (void *)c;
        SetTimer(0, 0, 10, later);
        return S_OK;
    case VIEW: return of_view(place, a, b);
    case CONTROLLER:
        if (place == 25) { *(void **)a = &view; return S_OK; }
        if (place == 13) { o->handlers[place] = (void *)a; return S_OK; }
        if (place == 6) {
            RECT *r = (RECT *)a;
            if (r->right <= r->left || r->bottom <= r->top) tell("bounds are empty");
            return S_OK;
        }
        if (place == 23 || place == 24 || place == 12) return S_OK;
        if (place == 36) { *(int *)a = o->values[37]; return S_OK; }
        break;
    case OPTIONS: case SETTINGS:
        if (place % 2) {
            *(int *)a = mode("stubborn") && place == 25 ? 1 : o->values[place + 1];
            return S_OK;
        }
        break;
    case ARGUMENTS:
        if (place == 3 && o->text) { *(wchar_t **)a = copy(o->text); return S_OK; }
        if (place == 3 && (!strcmp(o->name, "completed") || !strcmp(o->name, "process failed"))) { *(int *)a = o->number; return S_OK; }
        if (place == 4 && !strcmp(o->name, "completed")) { *(int *)a = 9; return S_OK; }
    }
    o->values[place] = (int)a;
    tell("%s %d: %d", o->name, place, (int)a);
    return S_OK;
}

#define ONE(n) static HRESULT method##n(struct object *o, uintptr_t a, uintptr_t b, uintptr_t c) { return called(o, 0x##n, a, b, c); }
#define EACH(m, h) m(h##0) m(h##1) m(h##2) m(h##3) m(h##4) m(h##5) m(h##6) m(h##7) m(h##8) m(h##9) m(h##a) m(h##b) m(h##c) m(h##d) m(h##e) m(h##f)
#define ALL(m) EACH(m, 0) EACH(m, 1) EACH(m, 2) EACH(m, 3) EACH(m, 4) EACH(m, 5) EACH(m, 6) EACH(m, 7)
ALL(ONE)
#define PUT(n) methods[0x##n] = method##n;

static void *waits;

static void CALLBACK ready(HWND w, UINT m, UINT_PTR id, DWORD t) {
    KillTimer(0, id);
    call(waits, mode("no-environment") ? (uintptr_t)E_FAIL : 0, mode("no-environment") ? 0 : &environment);
    ((ULONG(*)(void *))(*(void ***)waits)[2])(waits);
}

__declspec(dllexport) HRESULT CreateWebViewEnvironmentWithOptionsInternal(BOOL unknown, int type, const wchar_t *folder, void *wanted, void *handler) {
    wchar_t *arguments = 0;
    ((HRESULT(*)(void *, wchar_t **))(*(void ***)wanted)[3])(wanted, &arguments);
    tell("environment in %s, %ls", folder && GetFileAttributesW(folder) & FILE_ATTRIBUTE_DIRECTORY ? "a folder" : "no folder", arguments);
    if (mode("refuses")) return E_FAIL;
    if (mode("silent")) return S_OK;
    ALL(PUT)
    waits = handler;
    ((ULONG(*)(void *))(*(void ***)waits)[1])(waits);
    SetTimer(0, 0, 10, ready);
    return S_OK;
}

__declspec(dllexport) HRESULT DllCanUnloadNow(void) { return S_FALSE; }
