/* See networks.h. */
#include "networks.h"

#include "json.h"

#include <string.h>

/* Takes one out of the list. */
static void drop(struct networks *n, int i) {
    for (n->count--; i < n->count; i++) n->list[i] = n->list[i + 1];
}

/* How much a network of a kind wants of who joins it. */
static int wants(const char *kind) { return !strcmp(kind, "open") ? 0 : !strcmp(kind, "password") ? 1 : 2; }

void networks_add(struct networks *n, const char *name, const char *kind, long rssi) {
    size_t length = strlen(name);
    if (length == 0 || length >= NETWORKS_NAME) return;
    for (int i = 0; i < n->count; i++) {
        struct network *same = &n->list[i];
        if (strcmp(same->name, name)) continue;
        if (wants(same->kind) > wants(kind)) kind = same->kind;
        same->kind = kind;
        if (same->rssi >= rssi) return;
        drop(n, i);
        break;
    }
    if (n->count == NETWORKS && n->list[NETWORKS - 1].rssi >= rssi) return;
    if (n->count == NETWORKS) n->count--;
    int at = n->count++;
    for (; at > 0 && n->list[at - 1].rssi < rssi; at--) n->list[at] = n->list[at - 1];
    struct network *new = &n->list[at];
    memset(new, 0, sizeof *new);
    memcpy(new->name, name, length);
    new->kind = kind;
    new->rssi = rssi;
}

/* Bars, 0 to 4. */
static const char *strength(long rssi) { return rssi >= -55 ? "4" : rssi >= -65 ? "3" : rssi >= -75 ? "2" : rssi >= -85 ? "1" : "0"; }

/* Puts a pair of the list. */
static void put_pair(struct json *j, const char *before, const char *key, const char *value) {
    json_put(j, before);
    json_string(j, key);
    json_put(j, ",");
    json_string(j, value);
    json_put(j, "]");
}

static const char begin[] = "{\"kind\":\"answer\",\"verb\":\"wlan\"";

void networks_tell(const struct networks *n, const char *withheld, char *out) {
    struct json j = json_begin(out, NETWORKS_PAGE);
    const char *before = "[";
    json_put(&j, begin);
    json_put(&j, ",\"pairs\":[");
    for (int i = 0; i < n->count; i++, before = ",[") {
        char value[sizeof "enterprise new 4 " + NETWORKS_NAME];
        struct json text = json_begin(value, sizeof value);
        json_put(&text, n->list[i].kind);
        json_put(&text, " new ");
        json_put(&text, strength(n->list[i].rssi));
        json_put(&text, " ");
        json_put(&text, n->list[i].name);
        put_pair(&j, before, "network", value);
    }
    if (*withheld) put_pair(&j, before, "withheld", withheld);
    json_put(&j, "]}");
}

void networks_joined(const char *name, const char *code, char *out) {
    struct json j = json_begin(out, NETWORKS_PAGE);
    json_put(&j, begin);
    json_put(&j, ",\"pairs\":[");
    put_pair(&j, "[", "join", *code ? "failed" : "done");
    if (*code) put_pair(&j, ",[", "joincode", code);
    put_pair(&j, ",[", "joinname", name);
    json_put(&j, "]}");
}

void networks_unknown(char *out) {
    struct json j = json_begin(out, NETWORKS_PAGE);
    json_put(&j, begin);
    json_pair(&j, "error", "unknown");
    json_put(&j, "}");
}
