/* The way in for macOS: the bundle's only exported function, and the mechanisms. */
#include "guard.h"
#include "visit.h"

struct plugin {
    const AuthorizationCallbacks *calls;
};

struct mechanism {
    struct plugin *plugin;
    void *engine;
    int guards;
    struct visit *visit; /* NULL: macOS has not invoked it, or has taken it back */
};

static OSStatus plugin_destroy(void *plugin) {
    free(plugin);
    return 0;
}

/* Tells whether a mechanism's id is a name; authd's may come with ",privileged". */
static int is(const char *id, const char *name) {
    while (*name && *id == *name) id++, name++;
    return !*name && (!*id || *id == ',');
}

static OSStatus mechanism_create(void *plugin, void *engine, const char *id, void **out) {
    struct mechanism *m;
    if (!is(id, "login") && !is(id, "guard")) return errAuthorizationInternal;
    m = calloc(1, sizeof *m);
    if (!m) return memFullErr;
    m->plugin = plugin;
    m->engine = engine;
    m->guards = is(id, "guard");
    *out = m;
    return 0;
}

static void leave(struct mechanism *m) {
    struct visit *v = m->visit;
    m->visit = NULL;
    if (v) visit_end(v);
}

static OSStatus mechanism_invoke(void *mechanism) {
    struct mechanism *m = mechanism;
    if (m->guards) {
        guard_run(m->plugin->calls, m->engine);
        return 0;
    }
    leave(m);
    m->visit = visit_begin(m->plugin->calls, m->engine);
    if (!m->visit) m->plugin->calls->SetResult(m->engine, kAuthorizationResultAllow); /* without a name: the guard's turn */
    return 0;
}

static OSStatus mechanism_deactivate(void *mechanism) {
    struct mechanism *m = mechanism;
    leave(m);
    return m->plugin->calls->DidDeactivate(m->engine);
}

static OSStatus mechanism_destroy(void *mechanism) {
    leave(mechanism);
    free(mechanism);
    return 0;
}

static const AuthorizationPluginInterface interface = {
    0, plugin_destroy, mechanism_create, mechanism_invoke, mechanism_deactivate, mechanism_destroy,
};

__attribute__((visibility("default"))) OSStatus AuthorizationPluginCreate(const AuthorizationCallbacks *calls, void **plugin, const AuthorizationPluginInterface **out) {
    struct plugin *p = calloc(1, sizeof *p);
    if (!p) return memFullErr;
    p->calls = calls;
    *plugin = p;
    *out = &interface;
    return 0;
}
