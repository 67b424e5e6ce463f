/* See core.h. */
#include "core.h"

#include <string.h>

void core_wipe(void *bytes, size_t count) {
    volatile unsigned char *b = bytes; /* so that no compiler leaves it out */
    while (count-- > 0) *b++ = 0;
}

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

void core_begin(struct core *c, const char *session, int unlocked, unsigned long long now) {
    core_wipe(c, sizeof *c);
    c->now = c->asked_at = now;
    c->unlocked = unlocked;
    c->broken = add_text(c, "hello 1 login-window") || (*session && add_text(c, " ")) || request(c, session, "");
}

/* Text that grows in a buffer; full: it did not fit. */
struct text {
    char *at, *end;
    int full;
};

static void put(struct text *t, const char *s) {
    for (; *s; s++) {
        if (t->at == t->end) t->full = 1;
        else *t->at++ = *s;
    }
}

/* Puts a string of JSON. What the reader has passed is UTF-8. U+2028 and U+2029 are
 * ends of lines in older JavaScript; "<" never begins a tag. */
static void put_string(struct text *t, const char *s) {
    static const char hex[] = "0123456789abcdef";
    put(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f || strchr("\"\\<>&", c)) {
            char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], 0};
            put(t, escaped);
        } else if (c == 0xe2 && (unsigned char)s[1] == 0x80 && ((unsigned char)s[2] & 0xfe) == 0xa8) {
            put(t, (unsigned char)s[2] == 0xa8 ? "\\u2028" : "\\u2029");
            s += 2;
        } else {
            char one[] = {(char)c, 0};
            put(t, one);
        }
    }
    put(t, "\"");
}

static void put_pair(struct text *t, const char *key, const char *value) {
    if (!*value) return;
    put(t, ",");
    put_string(t, key);
    put(t, ":");
    put_string(t, value);
}

static void put_items(struct text *t, const char *key, const char *kind, const struct surface_item *items, int count) {
    put(t, ",");
    put_string(t, key);
    put(t, ":[");
    for (int i = 0; i < count; i++) {
        put(t, i ? ",{\"name\":" : "{\"name\":");
        put_string(t, items[i].name);
        put_pair(t, kind, items[i].kind);
        put_pair(t, "label", items[i].label);
        put(t, "}");
    }
    put(t, "]");
}

/* The names of texts on a page, in the order of enum surface_text; none: "". */
static const char *const names[SURFACE_TEXTS] = {
    "state", "why", "code", "online", "managed", "", "left", "title", "message", "text", "help", "usercode", "uri", "",
    "account", "name", "serialnumber", "model", "os", "organisation", "heard", "",
};

/* Writes a screen for the page. */
static int put_screen(struct core *c, const struct surface_block *b) {
    struct text t = {c->screen, c->screen + sizeof c->screen - 1, 0};
    core_wipe(c->screen, sizeof c->screen);
    put(&t, "{\"kind\":\"screen\"");
    put_pair(&t, "serial", b->word);
    for (int i = 0; i < SURFACE_TEXTS; i++)
        if (*names[i]) put_pair(&t, names[i], b->texts[i]);
    put_items(&t, "fields", "kind", b->fields, b->field_count);
    put_items(&t, "actions", "rank", b->actions, b->action_count);
    put(&t, ",\"qr\":[");
    for (int i = 0; i < b->module_count; i++) {
        put(&t, i ? "," : "");
        put_string(&t, b->modules[i]);
    }
    put(&t, "]}");
    return t.full ? -1 : 0;
}

/* Writes a note for the page. It replaces one that the page has not taken. */
static void put_note(struct core *c, const char *kind, const char *code, const char *message) {
    struct text t = {c->note, c->note + sizeof c->note - 1, 0};
    core_wipe(c->note, sizeof c->note);
    put(&t, "{\"kind\":");
    put_string(&t, kind);
    put_pair(&t, "code", code);
    put_pair(&t, "message", message);
    put(&t, "}");
    if (t.full && *message) put_note(c, kind, code, "");
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

static int got_screen(struct core *c, const struct surface_block *b) {
    keep(c->serial, b->word, sizeof c->serial);
    keep(c->address, *b->texts[SURFACE_QRTEXT] ? b->texts[SURFACE_QRTEXT] : b->texts[SURFACE_URI], sizeof c->address);
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
        core_wipe(c->pair, sizeof c->pair);
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
    return 0;
}

static int got_error(struct core *c, const char *word) {
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
    return -1;
}

static int greet(struct core *c) {
    c->greeted = 1;
    c->asked_at = c->extra_at = c->now;
    if (!c->unlocked) return watch(c);
    c->filevault = 1; /* a screen is asked for when that is not to be */
    return request(c, "filevault", "");
}

static int got_block(struct core *c, const struct surface_block *b) {
    if (!strcmp(b->kind, "error")) return got_error(c, b->word);
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
        core_wipe(c->in.bytes + c->in.used, sizeof c->in.bytes - c->in.used);
        core_wipe(&c->in.block, sizeof c->in.block);
        c->secret_came = 0;
    }
    if (!c->broken) return 0;
    core_wipe(c->pair, sizeof c->pair);
    core_wipe(c->screen, sizeof c->screen);
    c->pair_size = 0;
    c->outcome = CORE_OPEN;
    return -1;
}

/* Reads a line of the page in its place, the rest of the text stands after it.
 * NULL: there is none, or it is none of the protocol's. */
static char *next_line(char **rest) {
    char *line = *rest, *end = line ? strchr(line, '\n') : NULL;
    if (!line || !*line) return NULL;
    *rest = end && end[1] ? end + 1 : NULL;
    if (end) *end = 0;
    size_t length = strlen(line);
    if (length >= SURFACE_LINE) return NULL;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) return NULL;
    return line;
}

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

/* An action: fields, and act as the last line. */
static enum core_wish page_acts(struct core *c, char *line, char *rest, unsigned long long now) {
    size_t before = c->out_size;
    int fields = 0, whole = 0;
    for (; line && !whole; line = next_line(&rest)) {
        whole = begins(line, "act ");
        if ((!whole && !begins(line, "field ")) || request(c, line, "")) {
            whole = 0;
            break;
        }
        fields += !whole;
    }
    if (!whole || rest) {
        core_wipe(c->out + before, c->out_size - before);
        c->out_size = before;
        return CORE_MALFORMED;
    }
    c->typed |= fields > 0;
    if (c->acts++ == 0) c->acted_at = now;
    return CORE_NOTHING;
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* Reads a value of the protocol in its place. */
static int unescape(char *s) {
    char *to = s;
    for (; *s; s++) {
        if (*s == '%') {
            int high = digit(s[1]), low = high < 0 ? -1 : digit(s[2]);
            if (low < 0 || (high << 4 | low) == 0) return -1;
            *to++ = (char)(high << 4 | low);
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    core_wipe(to, (size_t)(s - to) + 1);
    return 0;
}

/* Who has an account here: macOS says whether the password is right. */
static enum core_wish page_logs_on(struct core *c, char *rest) {
    char empty[1] = "", *name = next_line(&rest), *password = rest ? next_line(&rest) : empty;
    if (!name || !password || rest || unescape(name) || unescape(password)) return CORE_MALFORMED;
    size_t length = strlen(name), more = strlen(password);
    if (c->outcome != CORE_OPEN || length == 0 || length + 1 + more > CORE_PAIR) return CORE_MALFORMED;
    memcpy(c->pair, name, length + 1);
    memcpy(c->pair + length + 1, password, more + 1);
    c->pair_size = length + 1 + more;
    c->outcome = CORE_LOGON;
    return CORE_NOTHING;
}

static enum core_wish page_wishes(struct core *c, char *text, unsigned long long now) {
    char *rest = text, *line = next_line(&rest);
    if (!line || c->broken) return CORE_MALFORMED;
    if (!strcmp(line, "login")) return page_logs_on(c, rest);
    if (begins(line, "field ") || begins(line, "act ")) return c->shown ? page_acts(c, line, rest, now) : CORE_MALFORMED;
    if (rest) return CORE_MALFORMED;
    if (!strcmp(line, "ready")) return CORE_READY;
    if (!strcmp(line, "show")) return *c->address ? CORE_SHOW : CORE_MALFORMED;
    if (!strcmp(line, "shut")) return CORE_SHUT;
    if (!strcmp(line, "refresh")) {
        if (!c->greeted || c->refreshing || request(c, line, "")) return CORE_MALFORMED;
        c->refreshing = 1;
        c->extra_at = now;
        return CORE_NOTHING;
    }
    if (strcmp(line, "apple") || c->outcome != CORE_OPEN) return CORE_MALFORMED;
    c->outcome = CORE_APPLE;
    return CORE_NOTHING;
}

enum core_wish core_page(struct core *c, const char *text, size_t count, unsigned long long now) {
    char copy[CORE_OUT];
    enum core_wish wish = CORE_MALFORMED;
    if (count >= sizeof copy || memchr(text, 0, count)) return wish;
    memcpy(copy, text, count);
    copy[count] = 0;
    wish = page_wishes(c, copy, now);
    core_wipe(copy, count);
    return wish;
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

unsigned long core_left(const struct core *c, unsigned long long now) {
    int watching = c->greeted && !c->filevault;
    unsigned long time = left(c->asked_at, watching ? CORE_WATCH : CORE_ANSWER, now);
    if (c->acts > 0) time = least(time, left(c->acted_at, CORE_ANSWER, now));
    if (c->asked || c->refreshing) time = least(time, left(c->extra_at, CORE_ANSWER, now));
    if (!surface_between(&c->in)) time = least(time, left(c->block_at, CORE_BLOCK, now));
    return time;
}

void core_lost(struct core *c) {
    core_wipe(c, sizeof *c);
    put_note(c, "lost", "", "");
}

void core_anew(struct core *c) {
    if (!c->greeted || c->broken || c->filevault || c->outcome != CORE_OPEN) return;
    core_wipe(c->serial, sizeof c->serial); /* any screen is another one */
    if (watch(c)) c->broken = 1;
}

const char *core_password(const struct core *c) { return c->pair + strlen(c->pair) + 1; }

/* How long the origin of an address is; 0: it is not https, or it hides something. */
static size_t origin(const char *address) {
    const char *host = address + strlen("https://");
    if (!begins(address, "https://")) return 0;
    size_t length = strcspn(host, "/?#");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)host[i] <= 0x20 || strchr("@\\%", host[i])) return 0;
    return length ? (size_t)(host - address) + length : 0;
}

int core_may_show(const struct core *c, const char *address) {
    size_t length = origin(address);
    return length > 0 && length == origin(c->address) && !memcmp(address, c->address, length);
}
