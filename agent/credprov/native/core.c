/* See core.h. */
#include "core.h"

#include <string.h>

void core_wipe(void *bytes, size_t count) {
    volatile unsigned char *b = bytes; /* so that no compiler leaves it out */
    while (count-- > 0) *b++ = 0;
}

/* Adds text to what is to be sent. */
static int add(struct core *c, const char *text, size_t length) {
    if (length > sizeof c->out - c->out_size) return -1;
    memcpy(c->out + c->out_size, text, length);
    c->out_size += length;
    return 0;
}

static int add_text(struct core *c, const char *text) { return add(c, text, strlen(text)); }

/* Adds a request of a verb and a word. */
static int request(struct core *c, const char *verb, const char *word) {
    return add_text(c, verb) || add_text(c, word) || add_text(c, "\n") ? -1 : 0;
}

void core_begin(struct core *c, unsigned long long now) {
    core_wipe(c, sizeof *c);
    c->now = c->asked_at = now;
    c->broken = add_text(c, "hello 1 tile\n");
}

/* Keeps a text of a block, which is never longer than a line. */
static void keep(char *to, const char *text, size_t room) {
    size_t length = strlen(text);
    if (length >= room) length = room - 1;
    memcpy(to, text, length);
}

static void take_picture(struct core_screen *s, const struct surface_block *b) {
    s->modules = b->module_count;
    for (int y = 0; y < b->module_count; y++)
        for (int x = 0; x < b->module_count; x++) s->picture[y][x] = b->modules[y][x] == '1';
}

static int is_digits(const char *kind) { return !strcmp(kind, "digits") || !strcmp(kind, "secret-digits"); }
static int is_secret(const char *kind) { return strcmp(kind, "text") && strcmp(kind, "digits"); }

static void take_screen(struct core_screen *s, const struct surface_block *b) {
    core_wipe(s, sizeof *s);
    keep(s->serial, b->word, sizeof s->serial);
    keep(s->state, b->texts[SURFACE_STATE], sizeof s->state);
    s->shown = strcmp(s->state, "hidden") != 0;
    if (!s->shown) return;
    s->logon = !strcmp(b->texts[SURFACE_LOGON], "yes");
    keep(s->title, b->texts[SURFACE_TITLE], sizeof s->title);
    keep(s->message, b->texts[SURFACE_MESSAGE], sizeof s->message);
    keep(s->note, b->texts[SURFACE_NOTE], sizeof s->note);
    keep(s->code, b->texts[SURFACE_USERCODE], sizeof s->code);
    keep(s->uri, b->texts[SURFACE_URI], sizeof s->uri);
    s->field_count = b->field_count;
    for (int i = 0; i < b->field_count; i++) {
        keep(s->fields[i].name, b->fields[i].name, sizeof s->fields[i].name);
        keep(s->fields[i].label, b->fields[i].label, sizeof s->fields[i].label);
        s->fields[i].secret = is_secret(b->fields[i].kind);
        s->fields[i].digits = is_digits(b->fields[i].kind);
    }
    s->action_count = b->action_count;
    for (int i = 0; i < b->action_count; i++) {
        keep(s->actions[i].name, b->actions[i].name, sizeof s->actions[i].name);
        keep(s->actions[i].label, b->actions[i].label, sizeof s->actions[i].label);
        s->actions[i].primary = !strcmp(b->actions[i].kind, "primary");
    }
    take_picture(s, b);
}

/* Waits for another screen than the present one. */
static int watch(struct core *c) {
    c->asked_at = c->now;
    return request(c, "watch ", *c->screen.serial ? c->screen.serial : "0");
}

/* Asks for what to log on with, if the person has typed the password here. */
static int ask_logon(struct core *c) {
    if (!c->screen.logon || !*c->typed_in || c->asked) return 0;
    c->asked = 1;
    c->logon_at = c->now;
    return request(c, "logon ", c->screen.serial);
}

static int got_screen(struct core *c, const struct surface_block *b) {
    take_screen(&c->screen, b);
    /* Another screen to fill in: who fills it in logs on. */
    if (c->screen.field_count > 0 && strcmp(c->screen.state, c->typed_in)) core_wipe(c->typed_in, sizeof c->typed_in);
    return watch(c) || ask_logon(c) ? -1 : 0;
}

static int got_logon(struct core *c, const struct surface_block *b) {
    c->logon_came = 1;
    if (!c->asked) return -1;
    c->asked = 0;
    if (!*c->typed_in) return 0; /* who typed has gone */
    c->blob_size = surface_bytes(b, c->blob, sizeof c->blob);
    c->blob_at = c->now;
    core_wipe(c->typed_in, sizeof c->typed_in);
    return c->blob_size > 0 ? 0 : -1;
}

static int got_error(struct core *c, const char *word) {
    if (!strcmp(word, "stale") && c->acts > 0) {
        c->acts--;
        return 0;
    }
    if ((!strcmp(word, "logon") || !strcmp(word, "unknown")) && c->asked) {
        c->asked = 0;
        return 0;
    }
    return -1;
}

static int got_block(struct core *c, const struct surface_block *b) {
    if (!strcmp(b->kind, "error")) return got_error(c, b->word);
    if (!c->greeted) {
        if (strcmp(b->kind, "hello") || strcmp(b->word, "1")) return -1;
        c->greeted = 1;
        return watch(c);
    }
    if (!strcmp(b->kind, "screen")) return got_screen(c, b);
    if (strcmp(b->kind, "ok")) return 0; /* of a later version */
    if (!strcmp(b->word, "watch")) return watch(c);
    if (!strcmp(b->word, "logon")) return got_logon(c, b);
    if (!strcmp(b->word, "act") && c->acts > 0) c->acts--;
    return 0;
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
    if (c->logon_came) { /* what follows it is kept */
        core_wipe(c->in.bytes + c->in.used, sizeof c->in.bytes - c->in.used);
        core_wipe(&c->in.block, sizeof c->in.block);
        c->logon_came = 0;
    }
    if (c->broken) core_wipe(&c->screen, sizeof c->screen);
    return c->broken ? -1 : 0;
}

int core_act(struct core *c, const struct core_screen *on, const char *action, const char *const *values, unsigned long long now) {
    size_t before = c->out_size;
    char value[SURFACE_LINE];
    int bad = 0;
    for (int i = 0; values && i < on->field_count && !bad; i++) {
        size_t room = SURFACE_LINE - strlen("field  \n") - strlen(on->fields[i].name) + 1;
        *value = 0;
        bad = (*values[i] && !surface_escape(value, room, values[i])) || add_text(c, "field ") || add_text(c, on->fields[i].name) || add_text(c, " ") ||
              request(c, value, "");
    }
    core_wipe(value, sizeof value);
    if (bad || add_text(c, "act ") || add_text(c, action) || request(c, " ", on->serial)) {
        core_wipe(c->out + before, c->out_size - before);
        c->out_size = before;
        return -1;
    }
    if (values && on->field_count > 0) memcpy(c->typed_in, on->state, sizeof c->typed_in);
    else core_wipe(c->typed_in, sizeof c->typed_in);
    if (c->acts++ == 0) c->acted_at = now;
    return 0;
}

size_t core_take(struct core *c, char *out) {
    size_t size = c->out_size;
    memcpy(out, c->out, size);
    core_wipe(c->out, size);
    c->out_size = 0;
    return size;
}

static unsigned long left(unsigned long long from, unsigned long time, unsigned long long now) {
    return now - from >= time ? 0 : (unsigned long)(time - (now - from));
}

static unsigned long least(unsigned long a, unsigned long b) { return a < b ? a : b; }

unsigned long core_left(struct core *c, unsigned long long now) {
    unsigned long time = left(c->asked_at, c->greeted ? CORE_WATCH : CORE_GREETING, now);
    if (c->acts > 0) time = least(time, left(c->acted_at, CORE_GREETING, now));
    if (c->asked) time = least(time, left(c->logon_at, CORE_GREETING, now));
    if (!surface_between(&c->in)) time = least(time, left(c->block_at, CORE_BLOCK, now));
    if (c->blob_size > 0) {
        unsigned long kept = left(c->blob_at, CORE_LOGON, now);
        if (kept == 0) core_leave(c);
        else time = least(time, kept);
    }
    return time;
}

void core_leave(struct core *c) {
    core_wipe(c->typed_in, sizeof c->typed_in);
    core_wipe(c->blob, sizeof c->blob);
    c->blob_size = 0;
}

int core_same(const struct core_screen *a, const struct core_screen *b) {
    size_t from = offsetof(struct core_screen, shown);
    return !memcmp((const char *)a + from, (const char *)b + from, sizeof *a - from);
}

int core_primary(const struct core_screen *s) {
    for (int i = 0; i < s->action_count; i++)
        if (s->actions[i].primary) return i;
    return -1;
}
