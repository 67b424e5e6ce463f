/* Reads what a service sends from its standard input, and writes what it
 * understood, as testdata/README.md describes.
 * usage: conformance PIECE, the size of the pieces in which the bytes arrive */
#include "surface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *escaped(const char *value) {
    static char text[3 * SURFACE_LINE];
    if (*value && !surface_escape(text, sizeof text, value)) abort();
    return *value ? text : "";
}

static void put(const char *key, const char *value) {
    if (*value) printf("%s=%s\n", key, escaped(value));
}

static void show_fields(const struct surface_block *b) {
    for (int i = 0; i < b->field_count; i++) {
        const char *kind = b->fields[i].kind;
        int known = !strcmp(kind, "text") || !strcmp(kind, "digits") || !strcmp(kind, "secret-digits");
        printf("field=%s %s %s\n", b->fields[i].name, known ? kind : "secret", escaped(b->fields[i].label));
    }
    for (int i = 0; i < b->action_count; i++) {
        const char *rank = strcmp(b->actions[i].kind, "primary") ? "secondary" : "primary";
        printf("action=%s %s %s\n", b->actions[i].name, rank, escaped(b->actions[i].label));
    }
}

static void show_anchors(const struct surface_block *b) {
    static unsigned char bytes[SURFACE_ANCHOR_BYTES];
    size_t left = surface_anchors(b, bytes, sizeof bytes), size;
    for (unsigned char *at = bytes; (size = surface_certificate(at, left)) > 0; at += size, left -= size) {
        printf("anchor=");
        for (size_t i = 0; i < size; i++) printf("%02X", at[i]);
        putchar('\n');
    }
}

static void show_screen(const struct surface_block *b) {
    printf("screen %llu\n", strtoull(b->word, NULL, 10));
    put("state", b->texts[SURFACE_STATE]);
    if (!strcmp(b->texts[SURFACE_ONLINE], "yes")) put("online", "yes");
    put("why", b->texts[SURFACE_WHY]);
    put("code", b->texts[SURFACE_CODE]);
    put("title", b->texts[SURFACE_TITLE]);
    put("message", b->texts[SURFACE_MESSAGE]);
    put("text", b->texts[SURFACE_NOTE]);
    put("help", b->texts[SURFACE_HELP]);
    show_fields(b);
    put("usercode", b->texts[SURFACE_USERCODE]);
    put("uri", b->texts[SURFACE_URI]);
    put("qrtext", b->texts[SURFACE_QRTEXT]);
    put("page", b->texts[SURFACE_PAGE]);
    for (int i = 0; i < b->origin_count; i++) put("origin", b->origins[i]);
    show_anchors(b);
    for (int i = 0; i < b->module_count; i++) put("qr", b->modules[i]);
    if (*b->texts[SURFACE_LEFT]) {
        unsigned long long left = strtoull(b->texts[SURFACE_LEFT], NULL, 10);
        printf("left=%llu\n", left < SURFACE_YEAR ? left : SURFACE_YEAR);
    }
    put("account", b->texts[SURFACE_ACCOUNT]);
    if (!strcmp(b->texts[SURFACE_LOGON], "yes")) put("logon", "yes");
    put("device.name", b->texts[SURFACE_NAME]);
    put("device.serial", b->texts[SURFACE_SERIAL]);
    put("device.model", b->texts[SURFACE_MODEL]);
    put("device.os", b->texts[SURFACE_OS]);
    put("device.organisation", b->texts[SURFACE_ORGANISATION]);
    if (!strcmp(b->texts[SURFACE_MANAGED], "yes")) put("device.managed", "yes");
}

static void show_bytes(const struct surface_block *b) {
    static unsigned char bytes[SURFACE_BLOCK];
    size_t n = surface_bytes(b, bytes, sizeof bytes);
    printf("blob=");
    for (size_t i = 0; i < n; i++) printf("%02X", bytes[i]);
    putchar('\n');
}

static void show(void *to, const struct surface_block *b) {
    (void)to;
    if (!strcmp(b->kind, "screen")) {
        show_screen(b);
        return;
    }
    printf("%s %s\n", b->kind, b->word);
    if (b->blob_count > 0) {
        show_bytes(b);
        return;
    }
    put("code", b->texts[SURFACE_CODE]);
    put("message", b->texts[SURFACE_MESSAGE]);
    put("agent", b->texts[SURFACE_AGENT]);
}

int main(int argc, char **argv) {
    static struct surface_parser p;
    static char piece[SURFACE_BLOCK];
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, n;
    if (size == 0 || size > sizeof piece) return 2;
    while ((n = fread(piece, 1, size, stdin)) > 0)
        if (surface_feed(&p, piece, n, show, NULL)) break;
    puts(surface_between(&p) ? "end" : "refused");
    surface_reset(&p);
    return 0;
}
