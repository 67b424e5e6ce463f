/* See core.h. */
#include "parts.h"

#include "json.h"

#include <string.h>

/* Adds a request of a verb and a word. */
static int request(struct core *c, const char *verb, const char *word) { return requests_add(&c->out, verb, word); }

void core_begin(struct core *c, const char *session, int unlocked, unsigned long long now) {
    surface_wipe(c, sizeof *c);
    c->now = c->asked_at = now;
    c->unlocked = unlocked;
    c->broken = request(c, *session ? "hello 1 login-window " : "hello 1 login-window", session);
}

static void put_items(struct json *j, const char *key, const char *kind, const struct surface_item *items, int count) {
    json_put(j, ",");
    json_string(j, key);
    json_put(j, ":[");
    for (int i = 0; i < count; i++) {
        json_put(j, i ? ",{\"name\":" : "{\"name\":");
        json_string(j, items[i].name);
        json_pair(j, kind, items[i].kind);
        json_pair(j, "label", items[i].label);
        json_put(j, "}");
    }
    json_put(j, "]");
}

/* The names of texts on a page, in the order of enum surface_text; none: "". */
static const char *const names[SURFACE_TEXTS] = {
    "state", "why", "code", "online", "managed", "", "left", "title", "message", "text", "help", "usercode", "uri", "", "",
    "account", "name", "serialnumber", "model", "os", "organisation", "heard", "",
};

/* Writes a screen for the page. */
static int put_screen(struct core *c, const struct surface_block *b) {
    struct json j = json_begin(c->screen, sizeof c->screen);
    json_put(&j, "{\"kind\":\"screen\"");
    json_pair(&j, "serial", b->word);
    for (int i = 0; i < SURFACE_TEXTS; i++)
        if (*names[i]) json_pair(&j, names[i], b->texts[i]);
    if (*b->texts[SURFACE_PAGE]) json_pair(&j, "page", "yes"); /* the address is for nobody to see */
    put_items(&j, "fields", "kind", b->fields, b->field_count);
    put_items(&j, "actions", "rank", b->actions, b->action_count);
    json_put(&j, ",\"qr\":[");
    for (int i = 0; i < b->module_count; i++) {
        json_put(&j, i ? "," : "");
        json_string(&j, b->modules[i]);
    }
    json_put(&j, "]}");
    return j.full ? -1 : 0;
}

/* Writes a note for the page. It replaces one that the page has not taken. */
static void put_note(struct core *c, const char *kind, const char *code, const char *message) {
    struct json j = json_begin(c->note, sizeof c->note);
    json_put(&j, "{\"kind\":");
    json_string(&j, kind);
    json_pair(&j, "code", code);
    json_pair(&j, "message", message);
    json_put(&j, "}");
    if (j.full && *message) put_note(c, kind, code, "");
}

static void keep(char *to, const char *text, size_t room) {
    size_t length = strlen(text);
    if (length >= room) length = room - 1;
    memcpy(to, text, length);
    to[length] = 0;
}

/* Waits for another screen than the present one. */
static int watch(struct core *c) {
    c->asked_at = c->now;
    return request(c, "watch ", *c->serial ? c->serial : "0");
}

/* Asks for what to log on with, once for each screen, if somebody has typed here.
 * The service gives it to nobody else. */
static int ask_logon(struct core *c, const struct surface_block *b) {
    if (strcmp(b->texts[SURFACE_LOGON], "yes") || !c->typed || c->asked || !strcmp(c->asked_for, c->serial)) return 0;
    c->asked = 1;
    c->extra_at = c->now;
    keep(c->asked_for, c->serial, sizeof c->asked_for);
    return request(c, "logon ", c->serial);
}

/* Keeps which pages a screen wants to be shown, and by what they are known. The address of the first one is a
 * secret. The page with the number stays while that is typed. */
static void keep_pages(struct core *c, const struct surface_block *b) {
    if (!*b->texts[SURFACE_PAGE] && !strcmp(b->texts[SURFACE_STATE], "number")) return;
    surface_wipe(c->page, sizeof c->page);
    keep(c->page, b->texts[SURFACE_PAGE], sizeof c->page);
    c->origin_count = 0;
    for (int i = 0; i < b->origin_count; i++)
        if (strlen(b->origins[i]) < CORE_ORIGIN) keep(c->origins[c->origin_count++], b->origins[i], CORE_ORIGIN);
    c->anchors_size = surface_anchors(b, c->anchors, sizeof c->anchors);
}

static int got_screen(struct core *c, const struct surface_block *b) {
    keep(c->serial, b->word, sizeof c->serial);
    keep_pages(c, b);
    c->shown = 1;
    return put_screen(c, b) || watch(c) || ask_logon(c, b) ? -1 : 0;
}

/* Tells whether bytes are a name, NUL and a password. */
static int is_pair(const char *bytes, size_t count) {
    size_t name = strlen(bytes); /* another NUL follows them all */
    return name > 0 && name + 1 < count && strlen(bytes + name + 1) == count - name - 1;
}

static int got_logon(struct core *c, const struct surface_block *b) {
    c->secret_came = 1;
    if (!c->asked || c->outcome != CORE_OPEN) return -1;
    c->asked = 0;
    c->pair_size = surface_bytes(b, (unsigned char *)c->pair, CORE_PAIR);
    if (!is_pair(c->pair, c->pair_size)) {
        surface_wipe(c->pair, sizeof c->pair);
        return -1;
    }
    c->outcome = CORE_LOGON;
    return 0;
}

static int got_ok(struct core *c, const struct surface_block *b) {
    if (!strcmp(b->word, "watch")) return watch(c);
    if (!strcmp(b->word, "logon")) return got_logon(c, b);
    if (!strcmp(b->word, "act") && c->acts > 0) c->acts--;
    if (!strcmp(b->word, "refresh") && c->refreshing) {
        c->refreshing = 0;
        put_note(c, "refreshed", b->texts[SURFACE_CODE], b->texts[SURFACE_MESSAGE]);
    }
    if (!strcmp(b->word, "filevault")) {
        if (!c->filevault || c->outcome != CORE_OPEN) return -1;
        c->filevault = 0;
        c->outcome = CORE_UNLOCKED;
    }
    desk_answered(c, b);
    return 0;
}

/* Tells errors after which the service hangs up, whatever was asked. */
static int is_end(const char *word) { return !strcmp(word, "malformed") || !strcmp(word, "version") || !strcmp(word, "hello"); }

static int got_error(struct core *c, const struct surface_block *b) {
    const char *word = b->word;
    if (!strcmp(word, "stale") && c->acts > 0) {
        c->acts--;
        put_note(c, "stale", "", "");
        return 0;
    }
    if (!strcmp(word, "filevault") && c->filevault) {
        c->filevault = 0;
        return watch(c);
    }
    if (!strcmp(word, "logon") && c->asked) {
        c->asked = 0;
        return 0;
    }
    if (!strcmp(word, "refresh") && c->refreshing) return 0;
    return !is_end(word) && desk_answered(c, b) ? 0 : -1;
}

static int greet(struct core *c) {
    c->greeted = 1;
    c->asked_at = c->extra_at = c->now;
    if (!c->unlocked) return watch(c);
    c->filevault = 1; /* a screen is asked for when that is not to be */
    return request(c, "filevault", "");
}

static int got_block(struct core *c, const struct surface_block *b) {
    if (!strcmp(b->kind, "error")) return got_error(c, b);
    if (!c->greeted) return strcmp(b->kind, "hello") || strcmp(b->word, "1") ? -1 : greet(c);
    if (!strcmp(b->kind, "screen")) return got_screen(c, b);
    if (!strcmp(b->kind, "ok")) return got_ok(c, b);
    return 0; /* of a later version */
}

static void got(void *to, const struct surface_block *b) {
    struct core *c = to;
    c->came = 1;
    if (!c->broken && got_block(c, b)) c->broken = 1;
}

int core_read(struct core *c, const char *bytes, size_t count, unsigned long long now) {
    c->now = now;
    c->came = 0;
    if (surface_between(&c->in)) c->block_at = now;
    if (surface_feed(&c->in, bytes, count, got, c)) c->broken = 1;
    if (c->came) c->block_at = now; /* what has begun since */
    if (c->secret_came) {           /* what follows it is kept */
        surface_wipe(c->in.bytes + c->in.used, sizeof c->in.bytes - c->in.used);
        surface_wipe(&c->in.block, sizeof c->in.block);
        c->secret_came = 0;
    }
    if (!c->broken) return 0;
    surface_wipe(c->pair, sizeof c->pair);
    surface_wipe(c->screen, sizeof c->screen);
    surface_wipe(c->answer, sizeof c->answer);
    c->pair_size = 0;
    c->outcome = CORE_OPEN;
    return -1;
}

/* Moves a text out. 0: there is none. */
static int move(char *out, char *from, size_t size) {
    if (!*from) return 0;
    memcpy(out, from, strlen(from) + 1);
    surface_wipe(from, size);
    return 1;
}

int core_tell(struct core *c, char *out, unsigned long long now) {
    if (move(out, c->screen, sizeof c->screen)) return 1;
    if (!move(out, c->answer, sizeof c->answer)) return move(out, c->note, sizeof c->note);
    desk_go_on(c, now);
    return 1;
}

size_t core_take(struct core *c, char *out, unsigned long long now) {
    desk_go_on(c, now); /* there was no room, perhaps */
    return requests_take(&c->out, out);
}

static unsigned long left(unsigned long long from, unsigned long time, unsigned long long now) {
    return now - from >= time ? 0 : (unsigned long)(time - (now - from));
}

static unsigned long least(unsigned long a, unsigned long b) { return a < b ? a : b; }

unsigned long core_left(const struct core *c, unsigned long long now) {
    int watching = c->greeted && !c->filevault;
    unsigned long time = left(c->asked_at, watching ? CORE_WATCH : CORE_ANSWER, now);
    if (c->acts > 0) time = least(time, left(c->acted_at, CORE_ANSWER, now));
    if (c->asked || c->refreshing) time = least(time, left(c->extra_at, CORE_ANSWER, now));
    if (c->desk.sent) time = least(time, left(c->desk.sent_at, CORE_ANSWER, now));
    if (!surface_between(&c->in)) time = least(time, left(c->block_at, CORE_BLOCK, now));
    return time;
}

void core_lost(struct core *c) {
    surface_wipe(c, sizeof *c);
    put_note(c, "lost", "", "");
}

void core_anew(struct core *c) {
    if (!c->greeted || c->broken || c->filevault || c->outcome != CORE_OPEN) return;
    surface_wipe(c->serial, sizeof c->serial); /* any screen is another one */
    surface_wipe(c->answer, sizeof c->answer);
    surface_wipe(c->desk.waiting, sizeof c->desk.waiting);
    requests_unsay(&c->desk.join, 0);
    if (watch(c)) c->broken = 1;
}

const char *core_password(const struct core *c) { return c->pair + strlen(c->pair) + 1; }
