/* Tries the core outside Windows, as a program of tests.
 * usage: core show PIECE     greets, then reads a stream in pieces; writes the
 *                            screens it would draw, then "end" or "refused"
 *        core frames         reads frames, each after its length in four bytes, and
 *                            checks what the core keeps of each; writes their number
 *        core times          checks when the service is too late
 *        core secrets        checks that nothing is left of what was typed, or came to
 *                            log on with, and when that is given at all */
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

static void says(const char *bytes, unsigned long long now) { assert(!core_read(&core, bytes, strlen(bytes), now)); }

/* Tells whether the core holds bytes anywhere. */
static int holds(const char *secret) {
    size_t length = strlen(secret);
    for (size_t i = 0; i + length <= sizeof core; i++)
        if (!memcmp((const char *)&core + i, secret, length)) return 1;
    return 0;
}

/* Takes what is to be sent, and tells whether it is that. */
static int sends(const char *want) {
    size_t size = core_take(&core, out);
    return size == strlen(want) && !memcmp(out, want, size);
}

static const char form[] = "screen 7\nstate=password\nfield=password secret Password\naction=submit primary Next\naction=cancel no Cancel\n\n";
static const char finished[] = "screen 9\nstate=done\nlogon=yes\n\n";
static const char packed[] = "ok logon\nblob=68756E746572\nblob=3232\n\nscreen 10\nstate=d"; /* hunter22 */

static void begin(void) {
    core_begin(&core, 0);
    says("hello 1\n\n", 0);
    says(form, 0);
    assert(sends("hello 1 tile\nwatch 0\nwatch 7\n"));
}

static void type(void) {
    const char *values[] = {"100% hunter22"};
    assert(!core_act(&core, &core.screen, "submit", values, 1));
    assert(holds("hunter22") && sends("field password 100%25 hunter22\nact submit 7\n") && !holds("hunter22"));
    says("ok act\n\n", 1);
}

static int secrets(void) {
    begin();
    type();
    says("screen 8\nstate=creating\n\n", 2);
    says(finished, 3);
    assert(sends("watch 8\nwatch 9\nlogon 9\n"));
    says(packed, 4);
    assert(core.blob_size == 8 && !memcmp(core.blob, "hunter22", 8) && !holds("68756E") && !holds("746572"));
    says("one\n\n", 4); /* what followed is not lost */
    assert(!strcmp(core.screen.serial, "10") && sends("watch 10\n"));
    assert(core_left(&core, 5) > 0 && core.blob_size == 8);
    core_left(&core, 4 + CORE_LOGON);
    assert(core.blob_size == 0 && !holds("hunter"));

    begin(); /* who has gone elsewhere is not logged on */
    type();
    core_leave(&core);
    says(finished, 3);
    assert(sends("watch 9\n"));

    begin(); /* nor who asked, and left before it came */
    type();
    says(finished, 3);
    core_leave(&core);
    says(packed, 4);
    assert(core.blob_size == 0 && !holds("hunter") && !holds("68756E"));

    begin(); /* nor who gave up */
    type();
    assert(!core_act(&core, &core.screen, "cancel", NULL, 2) && sends("act cancel 7\n"));
    says(finished, 3);
    assert(sends("watch 9\n"));

    begin(); /* nor who filled in one thing, and somebody else the last one */
    type();
    says("screen 8\nstate=pin\nfield=pin secret-digits PIN\n\n", 2);
    says(finished, 3);
    assert(sends("watch 8\nwatch 9\n"));

    begin(); /* nor twice, nor by whom somebody else has forestalled */
    type();
    says(finished, 3);
    assert(sends("watch 9\nlogon 9\n"));
    says("error logon\n\n", 4);
    assert(core.blob_size == 0 && core_read(&core, packed, strlen(packed), 5) && !holds("hunter") && !holds("68756E"));
    puts("done");
    return 0;
}

/* Each answer has its time. */
static int times(void) {
    core_begin(&core, 100);
    assert(core_left(&core, 100) == CORE_GREETING && core_left(&core, 100 + CORE_GREETING) == 0);
    says("hello 1\n\n", 200);
    assert(core_left(&core, 200) == CORE_WATCH && core_left(&core, 200 + CORE_WATCH) == 0);
    says("ok wat", 300);
    assert(core_left(&core, 300) == CORE_BLOCK);
    says("c", 300 + CORE_BLOCK - 1); /* drop by drop is not faster */
    assert(core_left(&core, 300 + CORE_BLOCK) == 0);
    says("h\n\n", 400);
    assert(core_left(&core, 400) == CORE_WATCH);
    says(form, 500);
    assert(!core_act(&core, &core.screen, "cancel", NULL, 600));
    assert(core_left(&core, 600) == CORE_GREETING && core_left(&core, 600 + CORE_GREETING) == 0);
    says("error stale\n\n", 700);
    assert(core_left(&core, 700) == CORE_WATCH - 200);
    puts("done");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "frames")) return frames();
    if (argc == 2 && !strcmp(argv[1], "secrets")) return secrets();
    if (argc == 2 && !strcmp(argv[1], "times")) return times();
    return argc == 3 ? show_all(strtoul(argv[2], NULL, 10)) : 2;
}
