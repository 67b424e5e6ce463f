/* Tries the core outside Windows, as a program of tests.
 * usage: core show PIECE     greets, then reads a stream in pieces; writes the
 *                            screens it would draw, then "end" or "refused"
 *        core frames         reads frames, each after its length in four bytes, and
 *                            checks what the core keeps of each; writes their number */
#include "../../native/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct core core;
static char out[CORE_OUT];

static void put(const char *key, const char *value) {
    static char text[3 * SURFACE_LINE];
    if (*value && !surface_escape(text, sizeof text, value)) abort();
    if (*value) printf("%s=%s\n", key, text);
}

static void put_label(const char *label) {
    if (*label) put("label", label);
    else puts("label=");
}

static void show(const struct core_screen *s) {
    printf("screen\n");
    put("state", s->state);
    put("title", s->title);
    put("message", s->message);
    put("text", s->note);
    for (int i = 0; i < s->field_count; i++) {
        printf("field=%s %s ", s->fields[i].name, s->fields[i].secret ? "secret" : "plain");
        put_label(s->fields[i].label);
    }
    for (int i = 0; i < s->action_count; i++) {
        printf("action=%s %s ", s->actions[i].name, s->actions[i].primary ? "primary" : "secondary");
        put_label(s->actions[i].label);
    }
    put("usercode", s->code);
    put("uri", s->uri);
    for (int y = 0; y < s->modules; y++) {
        printf("qr=");
        for (int x = 0; x < s->modules; x++) putchar(s->picture[y][x] ? '1' : '0');
        putchar('\n');
    }
    if (s->logon) puts("logon=yes");
}

static int show_all(size_t size) {
    static char piece[SURFACE_BLOCK];
    static struct core_screen before;
    size_t n;
    core_begin(&core, 0);
    if (core_read(&core, "hello 1\n\n", 9, 0)) abort();
    while ((n = fread(piece, 1, size, stdin)) > 0 && !core_read(&core, piece, n, 0)) {
        core_take(&core, out);
        if (core.screen.shown && !core_same(&before, &core.screen)) show(&core.screen);
        before = core.screen;
    }
    puts(!core.broken && surface_between(&core.in) ? "end" : "refused");
    return 0;
}

/* Whatever came: all texts end, all numbers are in bounds, nothing is left of what
 * was refused. */
static void check(void) {
    static const struct core_screen nothing;
    const struct core_screen *s = &core.screen;
    const char *texts[] = {s->title, s->message, s->note, s->code, s->uri};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert(memchr(texts[i], 0, SURFACE_LINE));
    assert(s->field_count >= 0 && s->field_count <= SURFACE_LIST && s->action_count >= 0 && s->action_count <= SURFACE_LIST);
    assert(s->modules >= 0 && s->modules <= SURFACE_MODULES && memchr(s->serial, 0, sizeof s->serial) && memchr(s->state, 0, sizeof s->state));
    assert(core.out_size <= sizeof core.out && core.blob_size <= sizeof core.blob);
    assert(!core.broken || !memcmp(s, &nothing, sizeof nothing));
    assert(core_primary(s) < s->action_count);
}

/* Types and presses whatever is offered. */
static void press(unsigned long long now) {
    static char values[SURFACE_LIST][SURFACE_LINE];
    const char *at[SURFACE_LIST];
    for (int i = 0; i < SURFACE_LIST; i++) {
        memset(values[i], i % 2 ? '%' : 'p', (now * 131 + (unsigned)i * 97) % SURFACE_LINE);
        values[i][(now * 131 + (unsigned)i * 97) % SURFACE_LINE] = 0;
        at[i] = values[i];
    }
    int action = core_primary(&core.screen);
    size_t before = core.out_size;
    if (action >= 0 && core_act(&core, &core.screen, core.screen.actions[action].name, at, now)) assert(core.out_size == before);
}

static int frames(void) {
    static char frame[4 * SURFACE_BLOCK];
    unsigned char head[4];
    unsigned long long now = 0;
    long count = 0, understood = 0;
    for (; fread(head, 1, 4, stdin) == 4; count++) {
        size_t size = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24, at = 0;
        if (size > sizeof frame || fread(frame, 1, size, stdin) != size) return 2;
        core_begin(&core, now);
        core_read(&core, "hello 1\n\n", count % 16 ? 9 : 0, now);
        while (at < size && !core.broken) {
            size_t piece = 1 + (size_t)(now * 2654435761u % 97);
            if (piece > size - at) piece = size - at;
            char *copy = malloc(piece); /* so that a read beyond it is found */
            memcpy(copy, frame + at, piece);
            core_read(&core, copy, piece, ++now);
            free(copy);
            at += piece;
            check();
            press(now);
            if (now % 3) core_take(&core, out);
            core_left(&core, now);
        }
        understood += !core.broken;
        assert(core_left(&core, now + CORE_LOGON) == 0 && core.blob_size == 0);
    }
    printf("%ld frames, %ld to the end\n", count, understood);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "frames")) return frames();
    return argc == 3 ? show_all(strtoul(argv[2], NULL, 10)) : 2;
}
