/* What the page asks the service besides the sign-in: who has an account, the
 * network, the Mac. There is one request at a time, and the others wait: so an error
 * is known to answer it, of services too that do not say which. */
#include "parts.h"

#include "json.h"

#include <string.h>

static const char *const verbs[CORE_VERBS] = {"users", "network", "scan", "join", "wifi", "info", "power", "logo"};

/* All that a page may ask, word for word. */
static const char *const requests[] = {
    "users", "network", "scan", "join", "wifi on", "wifi off", "info", "power restart", "power shutdown", "logo",
};

/* Tells whether a request is of a verb. */
static int is_of(const char *request, const char *verb) {
    size_t length = strlen(verb);
    return !strncmp(request, verb, length) && (!request[length] || request[length] == ' ');
}

/* Finds a request among those that may be asked. */
static const char *known(const char *request) {
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        if (!strcmp(request, requests[i])) return requests[i];
    return NULL;
}

int desk_verb(const char *request) {
    for (int i = 0; known(request) && i < CORE_VERBS; i++)
        if (is_of(request, verbs[i])) return i;
    return -1;
}

int desk_busy(const struct core *c, int verb) { return c->desk.waiting[verb] || (c->desk.sent && c->desk.verb == verb); }

void desk_ask(struct core *c, const char *request, unsigned long long now) {
    c->desk.waiting[desk_verb(request)] = known(request);
    desk_go_on(c, now);
}

static int send(struct core *c, int verb) {
    if (verb == CORE_JOIN) return requests_pass(&c->desk.join, &c->out);
    return requests_add(&c->out, c->desk.waiting[verb], "");
}

void desk_go_on(struct core *c, unsigned long long now) {
    struct core_desk *d = &c->desk;
    if (!c->greeted || c->broken || d->sent || *c->answer) return;
    for (int i = 1; i <= CORE_VERBS; i++) { /* each has its turn */
        int verb = (d->verb + i) % CORE_VERBS;
        if (!d->waiting[verb]) continue;
        if (send(c, verb)) return; /* once there is room */
        d->waiting[verb] = NULL;
        d->sent = 1;
        d->verb = verb;
        d->sent_at = now;
        return;
    }
}

/* Keeps where the network wants to be asked first. */
static void keep_portal(struct core *c, const struct surface_block *b) {
    const char *at = NULL, *key, *value, *internet = "", *portal = "";
    surface_wipe(c->portal, sizeof c->portal);
    while (surface_pair(b, &at, &key, &value)) {
        if (!strcmp(key, "internet")) internet = value;
        if (!strcmp(key, "portal")) portal = value;
    }
    if (!strcmp(internet, "captive") && is_web(portal)) memcpy(c->portal, portal, strlen(portal)); /* it was in a line */
}

static struct json answer(struct core *c, const char *error) {
    struct json j = json_begin(c->answer, sizeof c->answer);
    json_put(&j, "{\"kind\":\"answer\"");
    json_pair(&j, "verb", verbs[c->desk.verb]);
    json_pair(&j, "error", error);
    return j;
}

static void put_error(struct core *c, const char *word, const char *message) {
    struct json j = answer(c, word);
    json_pair(&j, "message", message);
    json_put(&j, "}");
    if (j.full) put_error(c, word, "");
}

static void put_pairs(struct core *c, const struct surface_block *b) {
    const char *at = NULL, *key, *value;
    struct json j = answer(c, "");
    json_put(&j, ",\"pairs\":[");
    for (const char *before = "["; surface_pair(b, &at, &key, &value); before = ",[") {
        json_put(&j, before);
        json_string(&j, key);
        json_put(&j, ",");
        json_string(&j, value);
        json_put(&j, "]");
    }
    json_put(&j, "]}");
    if (j.full) put_error(c, "large", "");
}

int desk_answered(struct core *c, const struct surface_block *b) {
    struct core_desk *d = &c->desk;
    if (!d->sent) return 0;
    if (!strcmp(b->kind, "error")) {
        if (d->verb == CORE_NETWORK) surface_wipe(c->portal, sizeof c->portal);
        put_error(c, b->word, b->texts[SURFACE_MESSAGE]);
    } else {
        if (strcmp(b->word, verbs[d->verb])) return 0;
        if (d->verb == CORE_NETWORK) keep_portal(c, b);
        put_pairs(c, b);
    }
    d->sent = 0;
    return 1;
}

enum core_wish desk_refuse(struct core *c, const char *verb, const char *why) {
    struct json j = json_begin(c->reply, sizeof c->reply);
    json_put(&j, "{\"kind\":\"answer\"");
    json_pair(&j, "verb", verb);
    json_pair(&j, "error", why);
    json_put(&j, "}");
    return CORE_REPLIES;
}
