/* Tries the core outside macOS, as a program of tests.
 * usage: core show PIECE     greets, then reads a stream in pieces; writes what the
 *                            page would be told, then "end" or "refused"
 *        core frames         reads frames, each after its length in four bytes, and
 *                            checks what the core keeps of each; writes their number
 *        core page           reads frames that a page says; writes their number
 *        core times          checks when the service is too late
 *        core secrets        checks that nothing is left of what was typed, or came to
 *                            log on with, and when that is taken at all */
#include "../../native/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct core core;
static char out[CORE_OUT];

static void tell(void) {
    if (*core.screen) puts(core.screen);
    if (*core.note) puts(core.note);
    core_wipe(core.screen, sizeof core.screen);
    core_wipe(core.note, sizeof core.note);
}

static int show_all(size_t size) {
    static char piece[SURFACE_BLOCK];
    size_t n;
    core_begin(&core, "100021", 0, 0);
    if (core_read(&core, "hello 1\n\n", 9, 0)) abort();
    while ((n = fread(piece, 1, size, stdin)) > 0 && !core_read(&core, piece, n, 0)) {
        core_take(&core, out);
        tell();
    }
    puts(!core.broken && surface_between(&core.in) ? "end" : "refused");
    return 0;
}

/* Whatever came: all texts end, nothing is in a state that is none, nothing is left
 * of what was refused. */
static void check(void) {
    static const char nothing[sizeof core.pair];
    assert(memchr(core.screen, 0, sizeof core.screen) && memchr(core.note, 0, sizeof core.note));
    assert(memchr(core.serial, 0, sizeof core.serial) && memchr(core.address, 0, sizeof core.address));
    assert(core.out_size <= sizeof core.out && core.pair_size <= CORE_PAIR && core.pair[CORE_PAIR] == 0);
    assert((core.outcome == CORE_LOGON) == (core.pair_size > 0));
    assert(core.outcome == CORE_LOGON || !memcmp(core.pair, nothing, sizeof nothing));
    if (core.outcome == CORE_LOGON) assert(core_password(&core) + strlen(core_password(&core)) == core.pair + core.pair_size);
}

/* The next frame of the input. NULL: there is none. It is as long as its memory, so
 * that a read beyond it is found. */
static char *next(size_t *size) {
    unsigned char head[4];
    if (fread(head, 1, 4, stdin) != 4) return NULL;
    *size = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
    char *frame = malloc(*size + !*size);
    if (!frame || fread(frame, 1, *size, stdin) != *size) exit(2);
    return frame;
}

static int frames(void) {
    unsigned long long now = 0;
    long count = 0, understood = 0, typed = 0;
    size_t size;
    for (char *frame; (frame = next(&size)); count++) {
        core_begin(&core, count % 2 ? "100021" : "", count % 5 == 0, now);
        core_read(&core, "hello 1\n\n", count % 16 ? 9 : 0, now);
        for (size_t at = 0; at < size && !core.broken;) {
            size_t piece = 1 + (size_t)(now * 2654435761u % 97);
            if (piece > size - at) piece = size - at;
            char *copy = malloc(piece);
            memcpy(copy, frame + at, piece);
            core_read(&core, copy, piece, ++now);
            free(copy);
            at += piece;
            check();
            if (now % 7 == 0) typed += core_page(&core, "field password hunter22\nact submit 7", 36, now) == CORE_NOTHING;
            if (now % 11 == 0) core_anew(&core);
            if (now % 3) core_take(&core, out);
            core_left(&core, now);
        }
        understood += !core.broken;
        free(frame);
    }
    printf("%ld frames, %ld to the end, %ld typed into\n", count, understood, typed);
    return 0;
}

/* What a page says that somebody else has taken over. */
static int page(void) {
    long count = 0, taken = 0;
    size_t size;
    for (char *frame; (frame = next(&size)); count++) {
        core_begin(&core, "", 0, 0);
        core_read(&core, "hello 1\n\nscreen 7\nstate=number\nuri=https://id.acme.example/signin\n\n", 67, 0);
        size_t before = core.out_size;
        enum core_wish wish = core_page(&core, frame, size, 1);
        check();
        taken += wish != CORE_MALFORMED;
        if (wish == CORE_MALFORMED) assert(core.out_size == before && core.outcome == CORE_OPEN);
        for (size_t i = before, line = 0; i < core.out_size; i++) {
            line = core.out[i] == '\n' ? 0 : line + 1;
            assert(line < SURFACE_LINE && (core.out[i] == '\n' || (unsigned char)core.out[i] >= 0x20));
        }
        assert(core.out_size == before || core.out[core.out_size - 1] == '\n');
        free(frame);
    }
    printf("%ld frames, %ld taken\n", count, taken);
    return 0;
}

static void says(const char *bytes, unsigned long long now) { assert(!core_read(&core, bytes, strlen(bytes), now)); }
static int refuses(const char *bytes) { return core_read(&core, bytes, strlen(bytes), 9) != 0; }
static enum core_wish wants(const char *text) { return core_page(&core, text, strlen(text), 1); }

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

static const char form[] = "screen 7\nstate=password\nfield=password secret Password\naction=submit primary Next\n\n";
static const char finished[] = "screen 9\nstate=done\nlogon=yes\n\n";
static const char packed[] = "ok logon\nblob=616E6E0068756E\nblob=7465723232\n\nscreen 10\nstate=d"; /* ann, hunter22 */

static void begin(void) {
    core_begin(&core, "100021", 0, 0);
    says("hello 1\n\n", 0);
    says(form, 0);
    assert(sends("hello 1 login-window 100021\nwatch 0\nwatch 7\n"));
}

static void type(void) {
    assert(wants("field password 100%25 hunter22\nact submit 7") == CORE_NOTHING && holds("hunter22"));
    assert(sends("field password 100%25 hunter22\nact submit 7\n") && !holds("hunter22"));
    says("ok act\n\n", 1);
}

static void logons(void) {
    begin();
    type();
    says(finished, 3);
    says("screen 10\nstate=done\nlogon=yes\n\n", 3); /* asked for once at a time */
    assert(sends("watch 9\nlogon 9\nwatch 10\n"));
    says(packed, 4);
    assert(core.outcome == CORE_LOGON && !strcmp(core.pair, "ann") && !strcmp(core_password(&core), "hunter22") && core.pair_size == 12);
    assert(!holds("68756E") && !holds("746572"));
    says("one\n\n", 4); /* what followed is not lost */
    assert(!strcmp(core.serial, "10") && sends("watch 10\n"));

    begin(); /* who typed elsewhere is logged on there */
    says(finished, 3);
    assert(sends("watch 9\n") && refuses(packed) && !holds("hunter") && !holds("68756E"));

    begin(); /* somebody else was given it */
    type();
    says(finished, 3);
    says("error logon\n\n", 4);
    assert(core.outcome == CORE_OPEN && refuses(packed) && !holds("hunter"));

    static const char *const none[] = {"ok logon\nblob=616E6E\n\n", "ok logon\nblob=0068\n\n", "ok logon\nblob=616E6E00\n\n", "ok logon\nblob=616E6E0068007A\n\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) { /* no pair */
        begin();
        type();
        says(finished, 3);
        assert(refuses(none[i]) && core.outcome == CORE_OPEN && core.pair_size == 0);
    }
}

static void locals(void) {
    static const char *const bad[] = {"login", "login\n", "login\n\nx", "login\nann\nx\n\n", "login\nann\nx\ny", "login\na%00\nx", "login\n%zz\nx", "login\nann\nx%4"};
    begin();
    assert(wants("login\nann\n100%25 hunter22") == CORE_NOTHING && core.outcome == CORE_LOGON);
    assert(!strcmp(core.pair, "ann") && !strcmp(core_password(&core), "100% hunter22") && sends(""));
    assert(wants("login\nbob\nx") == CORE_MALFORMED && !strcmp(core.pair, "ann")); /* one is enough */
    begin();
    assert(wants("login\nann\n") == CORE_NOTHING && !*core_password(&core) && core.pair_size == 4); /* an empty password */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin();
        assert(wants(bad[i]) == CORE_MALFORMED && core.outcome == CORE_OPEN);
    }
    core_begin(&core, "", 0, 0); /* there is no need of a service */
    assert(wants("login\nann\nhunter22") == CORE_NOTHING && core.outcome == CORE_LOGON);
}

static void unlocks(void) {
    core_begin(&core, "", 1, 0);
    says("hello 1\n\n", 0);
    assert(sends("hello 1 login-window\nfilevault\n"));
    says("ok filevault\n\n", 1);
    assert(core.outcome == CORE_UNLOCKED);
    core_begin(&core, "", 1, 0);
    says("hello 1\n\nerror filevault\n\n", 0);
    assert(core.outcome == CORE_OPEN && sends("hello 1 login-window\nfilevault\nwatch 0\n"));
    begin(); /* nobody has asked */
    assert(refuses("ok filevault\n\n") && core.outcome == CORE_OPEN);
    core_begin(&core, "", 1, 0); /* nor twice */
    says("hello 1\n\nerror filevault\n\n", 0);
    assert(refuses("ok filevault\n\n") && core.outcome == CORE_OPEN);
}

static void pages(void) {
    core_begin(&core, "", 0, 0);
    says("hello 1\n\nscreen 7\nstate=waiting\nuri=https://id.acme.example/signin\n\n", 0);
    static const char *const may[] = {"https://id.acme.example/", "https://id.acme.example/signin/done?x=1#y", "https://id.acme.example"};
    static const char *const not[] = {"http://id.acme.example/", "https://id.acme.example.evil.example/", "https://id.acme.example:8443/", "https://id.acme.example@evil.example/",
                                      "https://evil.example/id.acme.example", "https://", "", "file:///etc/passwd", "javascript:alert(1)", "https://id.acme.exampl\\e/", "about:blank"};
    for (size_t i = 0; i < sizeof may / sizeof *may; i++) assert(core_may_show(&core, may[i]));
    for (size_t i = 0; i < sizeof not / sizeof *not; i++) assert(!core_may_show(&core, not[i]));
    assert(wants("show") == CORE_SHOW && wants("shut") == CORE_SHUT && wants("ready") == CORE_READY && wants("show\n") == CORE_SHOW);
    says("screen 8\nstate=creating\n\n", 0);
    assert(wants("show") == CORE_MALFORMED && !core_may_show(&core, may[0])); /* there is nothing to show */
    assert(wants("apple") == CORE_NOTHING && core.outcome == CORE_APPLE);
    core_lost(&core);
    assert(!strcmp(core.note, "{\"kind\":\"lost\"}") && wants("act submit 8") == CORE_MALFORMED && wants("refresh") == CORE_MALFORMED && sends(""));
}

static int secrets(void) {
    logons();
    locals();
    unlocks();
    pages();
    puts("done");
    return 0;
}

/* Each answer has its time. */
static int times(void) {
    core_begin(&core, "", 0, 100);
    assert(core_left(&core, 100) == CORE_ANSWER && core_left(&core, 100 + CORE_ANSWER) == 0);
    says("hello 1\n\n", 200);
    assert(core_left(&core, 200) == CORE_WATCH && core_left(&core, 200 + CORE_WATCH) == 0);
    says("ok wat", 300);
    assert(core_left(&core, 300) == CORE_BLOCK);
    says("c", 300 + CORE_BLOCK - 1); /* drop by drop is not faster */
    assert(core_left(&core, 300 + CORE_BLOCK) == 0);
    says("h\n\n", 400);
    assert(core_left(&core, 400) == CORE_WATCH);
    says(form, 500);
    assert(core_page(&core, "act cancel 7", 12, 600) == CORE_NOTHING && core_left(&core, 600) == CORE_ANSWER && core_left(&core, 600 + CORE_ANSWER) == 0);
    says("error stale\n\n", 700);
    assert(core_left(&core, 700) == CORE_WATCH - 200 && !strcmp(core.note, "{\"kind\":\"stale\"}"));
    assert(core_page(&core, "refresh", 7, 800) == CORE_NOTHING && core_left(&core, 800) == CORE_ANSWER && core_page(&core, "refresh", 7, 800) == CORE_MALFORMED);
    says("ok refresh\ncode=offline\nmessage=No \"way\".\n\n", 900);
    assert(core_left(&core, 900) == CORE_WATCH - 400 && !strcmp(core.note, "{\"kind\":\"refreshed\",\"code\":\"offline\",\"message\":\"No \\u0022way\\u0022.\"}"));
    core_begin(&core, "", 1, 1000);
    says("hello 1\n\n", 1100);
    assert(core_left(&core, 1100) == CORE_ANSWER && core_left(&core, 1100 + CORE_ANSWER) == 0);
    puts("done");
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "frames")) return frames();
    if (!strcmp(what, "page")) return page();
    if (!strcmp(what, "secrets")) return secrets();
    if (!strcmp(what, "times")) return times();
    return argc == 3 ? show_all(strtoul(argv[2], NULL, 10)) : 2;
}
