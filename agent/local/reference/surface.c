/* See surface.h. */
#include "surface.h"

#include <string.h>

typedef unsigned char byte;

static const char hex[] = "0123456789ABCDEF";

void surface_wipe(void *bytes, size_t count) {
    volatile byte *b = bytes; /* so that no compiler leaves it out */
    while (count-- > 0) *b++ = 0;
}

void surface_reset(struct surface_parser *p) { surface_wipe(p, sizeof *p); }

int surface_between(const struct surface_parser *p) { return !p->broken && p->used == 0; }

static int is_escaped(byte c) { return c < 0x20 || c == 0x7f || c == '%'; }

size_t surface_escape(char *out, size_t room, const char *value) {
    size_t n = 0;
    for (; *value; value++) {
        byte c = (byte)*value;
        if (n + 4 > room) return 0;
        if (is_escaped(c)) {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    if (n == room) return 0;
    out[n] = 0;
    return n;
}

/* Reads a value in its place; what it does not need any more becomes NUL. */
static int unescape(char *s) {
    char *to = s;
    for (; *s; s++) {
        byte c = (byte)*s;
        if (c == '%') {
            const char *high = s[1] ? strchr(hex, s[1]) : NULL;
            const char *low = high && s[2] ? strchr(hex, s[2]) : NULL;
            if (!low) return -1;
            c = (byte)((high - hex) << 4 | (low - hex));
            if (c == 0 || !is_escaped(c)) return -1;
            s += 2;
        }
        *to++ = (char)c;
    }
    while (to < s) *to++ = 0;
    return 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static int is_utf8(const byte *s, size_t n) {
    for (size_t i = 0; i < n;) {
        byte c = s[i++], low = 0x80, high = 0xbf;
        int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
        if (more < 0 || n - i < (size_t)more) return 0;
        for (; more > 0; more--, low = 0x80, high = 0xbf)
            if (s[i] < low || s[i] > high) return 0;
            else i++;
    }
    return 1;
}

static int is_word(const char *s) {
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return n > 0 && n <= SURFACE_WORD && s[n] == 0;
}

static int is_number(const char *s) {
    size_t n = strspn(s, "0123456789");
    return n > 0 && n <= 18 && s[n] == 0;
}

static int is_yes_or_no(const char *s) { return !strcmp(s, "yes") || !strcmp(s, "no"); }

/* Cuts a text at a separator. NULL if it has none. */
static char *cut(char *s, char separator) {
    char *end = strchr(s, separator);
    if (end) *end++ = 0;
    return end;
}

/* In the order of enum surface_text. */
static const char *const keys[SURFACE_TEXTS] = {
    "state", "why", "code", "online", "device.managed", "logon", "left", "title", "message", "text", "help", "usercode", "uri", "qrtext", "page",
    "account", "device.name", "device.serial", "device.model", "device.os", "device.organisation", "device.heard", "agent",
};

static int read_item(struct surface_item *list, int *count, char *value) {
    struct surface_item item = {value, cut(value, ' '), NULL};
    if (!item.kind || *count == SURFACE_LIST) return -1;
    item.label = cut((char *)item.kind, ' ');
    if (!item.label || !is_word(item.name) || !is_word(item.kind)) return -1;
    list[(*count)++] = item;
    return 0;
}

static int is_fine(int text, const char *value) {
    if (text <= SURFACE_CODE) return is_word(value);
    if (text <= SURFACE_LOGON) return is_yes_or_no(value);
    return text != SURFACE_LEFT || is_number(value);
}

static int is_logon(const struct surface_block *b) { return !strcmp(b->kind, "ok") && !strcmp(b->word, "logon"); }

static int is_bytes(const char *s) {
    size_t n = strspn(s, hex);
    return n > 0 && n % 2 == 0 && s[n] == 0;
}

static int digit(char c) { return (int)(strchr(hex, c) - hex); }

size_t surface_bytes(const struct surface_block *b, unsigned char *out, size_t room) {
    size_t n = 0;
    for (int i = 0; i < b->blob_count; i++)
        for (const char *s = b->blob[i]; *s; s += 2) {
            if (n == room) return 0;
            out[n++] = (byte)(digit(s[0]) << 4 | digit(s[1]));
        }
    return n;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Reads four characters of base64 in their place. Gives how many bytes they are; 0:
 * none. There is one way to write a byte. */
static int unpack(char *s) {
    unsigned long bits = 0;
    int padding = s[3] != '=' ? 0 : s[2] != '=' ? 1 : 2;
    for (int i = 0; i < 4; i++) {
        const char *at = i + padding > 3 ? base64 : s[i] ? strchr(base64, s[i]) : NULL;
        if (!at) return 0;
        bits = bits << 6 | (unsigned long)(at - base64);
    }
    if (bits & ((1UL << 8 * padding) - 1)) return 0;
    for (int i = 0; i < 3; i++) s[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    return 3 - padding;
}

/* Reads a row of certificates in its place. */
static int read_anchor(struct surface_block *b, char *value) {
    size_t size = 0, length = strlen(value);
    struct surface_row *row = &b->anchors[b->anchor_count];
    if (length == 0) return 0;
    if (length % 4 || b->anchor_count == SURFACE_ANCHOR_ROWS) return -1;
    if (b->anchor_count > 0 && row[-1].size % 3) return -1; /* none follows the end */
    for (char *s = value, *to = value; *s; s += 4) {
        char four[4] = {s[0], s[1], s[2], s[3]};
        int count = unpack(four);
        if (count == 0 || (count < 3 && s[4])) return -1;
        memcpy(to, four, (size_t)count);
        to += count;
        size += (size_t)count;
    }
    row->bytes = (const byte *)value;
    row->size = size;
    b->anchor_count++;
    return 0;
}

size_t surface_certificate(const byte *der, size_t size) {
    enum { SEQUENCE = 0x30 };
    size_t length, head = 2;
    if (size < head || der[0] != SEQUENCE) return 0;
    length = der[1];
    if (length > 0x80) { /* so many more bytes; as few as will do */
        size_t more = length - 0x80;
        if (more > 2 || size < head + more) return 0;
        length = more == 1 ? der[2] : (size_t)der[2] << 8 | der[3];
        if (length < 0x80 || (more == 2 && length < 0x100)) return 0;
        head += more;
    } else if (length == 0x80) {
        return 0;
    }
    return length <= size - head ? head + length : 0;
}

size_t surface_anchors(const struct surface_block *b, byte *out, size_t room) {
    size_t n = 0;
    for (int i = 0; i < b->anchor_count; i++) {
        const struct surface_row *row = &b->anchors[i];
        if (row->size > room - n) return 0;
        memcpy(out + n, row->bytes, row->size);
        n += row->size;
    }
    return n;
}

/* Gives what stands in the rows from there on, up to four bytes. */
static size_t first_bytes(const struct surface_block *b, size_t at, byte *out) {
    size_t n = 0;
    for (int i = 0; i < b->anchor_count && n < 4; i++) {
        const struct surface_row *row = &b->anchors[i];
        for (; at < row->size && n < 4; at++) out[n++] = row->bytes[at];
        at -= row->size < at ? row->size : at;
    }
    return n;
}

/* Tells whether the rows are certificates, as far as that can be told, or there are
 * none. */
static int is_certificates(const struct surface_block *b) {
    size_t size = 0, at = 0;
    int count = 0;
    for (int i = 0; i < b->anchor_count; i++) size += b->anchors[i].size;
    if (size > SURFACE_ANCHOR_BYTES) return 0;
    for (; at < size; count++) {
        byte head[4] = {0};
        first_bytes(b, at, head);
        size_t length = count < SURFACE_ANCHORS ? surface_certificate(head, size - at) : 0;
        if (length == 0) return 0;
        at += length;
    }
    return 1;
}

static int read_pair(struct surface_block *b, char *line) {
    int screen = !strcmp(b->kind, "screen");
    char *value = cut(line, '=');
    if (!value || !is_word(line) || unescape(value)) return -1;
    for (int i = 0; i < SURFACE_TEXTS; i++) {
        if (strcmp(line, keys[i])) continue;
        if (*b->texts[i] || (screen && !is_fine(i, value))) return -1;
        b->texts[i] = value;
        return 0;
    }
    if (is_logon(b) && !strcmp(line, "blob")) {
        if (b->blob_count == SURFACE_LIST || !is_bytes(value)) return -1;
        b->blob[b->blob_count++] = value;
        return 0;
    }
    if (!screen) return 0;
    if (!strcmp(line, "field")) return read_item(b->fields, &b->field_count, value);
    if (!strcmp(line, "action")) return read_item(b->actions, &b->action_count, value);
    if (!strcmp(line, "origin")) {
        if (b->origin_count == SURFACE_ORIGINS) return -1;
        b->origins[b->origin_count++] = value;
        return 0;
    }
    if (!strcmp(line, "anchor")) return read_anchor(b, value);
    if (strcmp(line, "qr")) return 0; /* of a later version */
    if (b->module_count == SURFACE_MODULES) return -1;
    b->modules[b->module_count++] = value;
    return 0;
}

int surface_pair(const struct surface_block *b, const char **at, const char **key, const char **value) {
    const char *line = *at ? *at : b->pairs;
    while (line < b->end && !*line) line++; /* what a value did not need */
    if (line == b->end) return 0;
    *key = line;
    *value = line + strlen(line) + 1;
    *at = *value + strlen(*value) + 1;
    return 1;
}

static int is_square(const struct surface_block *b) {
    for (int i = 0; i < b->module_count; i++)
        if (strlen(b->modules[i]) != (size_t)b->module_count || b->modules[i][strspn(b->modules[i], "01")]) return 0;
    return 1;
}

/* Reads a whole block, whose lines end with NUL. */
static int read_block(struct surface_block *b, char *line, const char *end) {
    memset(b, 0, sizeof *b);
    for (int i = 0; i < SURFACE_TEXTS; i++) b->texts[i] = "";
    char *next = line + strlen(line) + 1, *first = next;
    b->kind = line;
    b->word = "";
    for (char *word = line, *rest; word; word = rest) {
        rest = cut(word, ' ');
        if (!is_word(word)) return -1;
        if (word != b->kind && !*b->word) b->word = word;
    }
    for (line = next; line < end; line = next) {
        next = line + strlen(line) + 1;
        if (read_pair(b, line)) return -1;
    }
    if (is_logon(b)) return b->blob_count > 0 ? 0 : -1;
    if (strcmp(b->kind, "screen")) {
        b->pairs = first;
        b->end = end;
        return 0;
    }
    return is_number(b->word) && *b->texts[SURFACE_STATE] && is_square(b) && is_certificates(b) ? 0 : -1;
}

/* Takes a byte. 1: the block is complete. */
static int take(struct surface_parser *p, byte c) {
    if (p->used == SURFACE_BLOCK || p->used - p->line == SURFACE_LINE) return -1;
    if (c != '\n') {
        p->bytes[p->used++] = (char)c;
        return c < 0x20 || c == 0x7f ? -1 : 0;
    }
    size_t length = p->used - p->line;
    if (!is_utf8((const byte *)p->bytes + p->line, length)) return -1;
    if (length == 0) return p->line > 0 ? 1 : -1;
    p->bytes[p->used++] = 0;
    p->line = p->used;
    return 0;
}

int surface_feed(struct surface_parser *p, const char *bytes, size_t count, surface_got *got, void *to) {
    for (size_t i = 0; i < count && !p->broken; i++) {
        int taken = take(p, (byte)bytes[i]);
        if (taken > 0) {
            p->broken = read_block(&p->block, p->bytes, p->bytes + p->used) != 0;
            if (!p->broken) got(to, &p->block);
            p->used = p->line = 0;
        }
        if (taken < 0) p->broken = 1;
    }
    return p->broken ? -1 : 0;
}
