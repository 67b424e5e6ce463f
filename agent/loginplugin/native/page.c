/* What the page says: lines, see core.h. It is our page, and yet it may do no more
 * than these. */
#include "parts.h"

#include <string.h>

int begins(const char *text, const char *with) { return !strncmp(text, with, strlen(with)); }

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

/* Fields, and the line after them. */
struct said {
    char *fields[SURFACE_LIST], *last;
    int count;
};

static int read_said(struct said *s, char *line, char *rest) {
    s->count = 0;
    for (; line && begins(line, "field "); line = next_line(&rest)) {
        if (s->count == SURFACE_LIST) return -1;
        s->fields[s->count++] = line;
    }
    s->last = line;
    return line && !rest ? 0 : -1;
}

/* An action. */
static enum core_wish acts(struct core *c, const struct said *s, unsigned long long now) {
    size_t before = c->out.size;
    int failed = !c->shown;
    for (int i = 0; i < s->count && !failed; i++) failed = requests_add(&c->out, s->fields[i], "");
    if (failed || requests_add(&c->out, s->last, "")) {
        requests_unsay(&c->out, before);
        return CORE_MALFORMED;
    }
    c->typed |= s->count > 0;
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
    surface_wipe(to, (size_t)(s - to) + 1);
    return 0;
}

/* Who has an account here: macOS says whether the password is right. */
static enum core_wish logs_on(struct core *c, char *rest) {
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

/* The fields of a network to join. */
enum { NAME, PASSWORD, HIDDEN, IDENTITY, FIELDS };

/* Finds the values of the fields, each of which may be there once. */
static int read_network(const struct said *s, char *values[FIELDS]) {
    static const char *const names[FIELDS] = {"field name ", "field password ", "field hidden ", "field identity "};
    for (int i = 0; i < s->count; i++) {
        int field = 0;
        while (field < FIELDS && !begins(s->fields[i], names[field])) field++;
        if (field == FIELDS || values[field]) return -1;
        values[field] = s->fields[i] + strlen(names[field]);
    }
    return 0;
}

/* Asks the service. */
static enum core_wish asks(struct core *c, const struct said *s, unsigned long long now) {
    const char *request = s->last + strlen("ask ");
    char verb[SURFACE_WORD + 1] = "", *values[FIELDS] = {0};
    int v = desk_verb(request), joins = v == CORE_JOIN;
    if (v < 0 || (!joins && s->count > 0) || (joins && (read_network(s, values) || !values[NAME]))) return CORE_MALFORMED;
    memcpy(verb, request, strcspn(request, " "));
    if (!c->greeted || c->filevault || c->outcome != CORE_OPEN) return desk_refuse(c, verb, "lost");
    if (desk_busy(c, v)) return desk_refuse(c, verb, "busy");
    for (int i = 0; i < s->count; i++) requests_add(&c->desk.join, s->fields[i], ""); /* four lines have room */
    if (joins) requests_add(&c->desk.join, request, "");
    desk_ask(c, request, now);
    return CORE_NOTHING;
}

static int keep_value(char *to, size_t room, char *value) {
    if (unescape(value) || strlen(value) >= room) return -1;
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

/* Asks the host itself for what this Mac's Wi-Fi is to do. */
static enum core_wish wlan(struct core *c, const struct said *s) {
    struct core_wlan *w = &c->wlan;
    char *values[FIELDS] = {0};
    surface_wipe(w, sizeof *w);
    w->join = !strcmp(s->last, "wlan join");
    if (!w->join) return !strcmp(s->last, "wlan scan") && s->count == 0 ? CORE_WLAN : CORE_MALFORMED;
    int bad = read_network(s, values) || !values[NAME] || values[IDENTITY] || (values[HIDDEN] && strcmp(values[HIDDEN], "yes"));
    w->hidden = values[HIDDEN] != NULL;
    if (bad || keep_value(w->name, sizeof w->name, values[NAME]) || !*w->name || (values[PASSWORD] && keep_value(w->password, sizeof w->password, values[PASSWORD]))) {
        surface_wipe(w, sizeof *w);
        return CORE_MALFORMED;
    }
    return CORE_WLAN;
}

static enum core_wish refreshes(struct core *c, unsigned long long now) {
    if (!c->greeted || c->refreshing || requests_add(&c->out, "refresh", "")) return CORE_MALFORMED;
    c->refreshing = 1;
    c->extra_at = now;
    return CORE_NOTHING;
}

static enum core_wish wishes(struct core *c, char *text, unsigned long long now) {
    char *rest = text, *line = next_line(&rest);
    struct said s;
    if (!line || c->broken) return CORE_MALFORMED;
    if (!strcmp(line, "login")) return logs_on(c, rest);
    if (read_said(&s, line, rest)) return CORE_MALFORMED;
    if (begins(s.last, "act ")) return acts(c, &s, now);
    if (begins(s.last, "ask ")) return asks(c, &s, now);
    if (begins(s.last, "wlan ")) return wlan(c, &s);
    if (s.count > 0) return CORE_MALFORMED;
    if (!strcmp(line, "ready")) return CORE_READY;
    if (!strcmp(line, "show")) return *c->page ? CORE_SHOW : CORE_MALFORMED;
    if (!strcmp(line, "portal")) return *c->portal ? CORE_PORTAL : CORE_MALFORMED;
    if (!strcmp(line, "shut")) return CORE_SHUT;
    if (!strcmp(line, "refresh")) return refreshes(c, now);
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
    wish = wishes(c, copy, now);
    surface_wipe(copy, count);
    return wish;
}
