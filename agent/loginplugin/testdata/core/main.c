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
#include "../../native/networks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct core core;
static char out[CORE_OUT];

static char told[CORE_PAGE];

static void tell(void) {
    while (core_tell(&core, told, 0)) puts(told);
}

static int show_all(size_t size) {
    static char piece[SURFACE_BLOCK];
    size_t n;
    core_begin(&core, "100021", 0, 0);
    if (core_read(&core, "hello 1\n\n", 9, 0)) abort();
    while ((n = fread(piece, 1, size, stdin)) > 0 && !core_read(&core, piece, n, 0)) {
        core_take(&core, out, 0);
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
    assert(memchr(core.answer, 0, sizeof core.answer) && memchr(core.reply, 0, sizeof core.reply));
    assert(memchr(core.serial, 0, sizeof core.serial) && memchr(core.page, 0, sizeof core.page) && memchr(core.portal, 0, sizeof core.portal));
    assert(core.anchors_size <= sizeof core.anchors);
    for (int i = 0; i < core.origin_count; i++) assert(i < SURFACE_ORIGINS && memchr(core.origins[i], 0, sizeof core.origins[i]));
    assert(core.desk.verb >= 0 && core.desk.verb < CORE_VERBS && core.desk.join.size <= 5 * SURFACE_LINE);
    assert(core.out.size <= sizeof core.out.bytes && core.pair_size <= CORE_PAIR && core.pair[CORE_PAIR] == 0);
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

static const char *const asked[13] = {"ask network", "ask users", "field name A\nfield password p\nask join", "ask scan", "ask logo", "ask wifi off", "ask power restart",
                                      "ask info", "ask", "portal", "show", "refresh", "wlan scan"};

static int frames(void) {
    unsigned long long now = 0;
    long count = 0, understood = 0, typed = 0, answers = 0;
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
            core_page(&core, asked[now % 13], strlen(asked[now % 13]), now);
            if (now % 7 == 0) typed += core_page(&core, "field password hunter22\nact submit 7", 36, now) == CORE_NOTHING;
            if (now % 11 == 0) core_anew(&core);
            if (now % 3) core_take(&core, out, now);
            if (now % 5 == 0) answers += core_tell(&core, told, now) && !strncmp(told, "{\"kind\":\"answer\"", 16);
            core_may_show(&core, "https://id.acme.example/");
            core_may_browse(&core, "http://1.1.1.1/");
            core_left(&core, now);
        }
        understood += !core.broken;
        free(frame);
    }
    printf("%ld frames, %ld to the end, %ld typed into, %ld answers\n", count, understood, typed, answers);
    return 0;
}

/* What a page says that somebody else has taken over. */
static int page(void) {
    long count = 0, taken = 0;
    size_t size;
    for (char *frame; (frame = next(&size)); count++) {
        core_begin(&core, "", 0, 0);
        static const char begun[] = "hello 1\n\nscreen 7\nstate=number\npage=https://id.acme.example/signin\norigin=https://id.acme.example\n\n";
        core_read(&core, begun, sizeof begun - 1, 0);
        size_t before = core.out.size;
        enum core_wish wish = core_page(&core, frame, size, 1);
        check();
        taken += wish != CORE_MALFORMED;
        if (wish == CORE_MALFORMED) assert(core.out.size == before && core.desk.join.size == 0 && !*core.wlan.name && !*core.wlan.password && core.outcome == CORE_OPEN);
        if (wish == CORE_WLAN) assert(memchr(core.wlan.name, 0, sizeof core.wlan.name) && memchr(core.wlan.password, 0, sizeof core.wlan.password));
        const char *sent = core.out.bytes;
        for (size_t i = before, line = 0; i < core.out.size; i++) {
            line = sent[i] == '\n' ? 0 : line + 1;
            assert(line < SURFACE_LINE && (sent[i] == '\n' || (unsigned char)sent[i] >= 0x20));
        }
        assert(core.out.size == before || sent[core.out.size - 1] == '\n');
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
    size_t size = core_take(&core, out, 1);
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

static int tells(const char *want) {
    int there = core_tell(&core, told, 1);
    if (!*want) return !there;
    if (there && !strcmp(told, want)) return 1;
    printf("told %s\n", there ? told : "nothing");
    return 0;
}

static const char waiting[] = "hello 1\n\nscreen 7\nstate=waiting\npage=https://id.acme.example/signin?c=1\norigin=https://id.acme.example\norigin=https://login.example:8443\n\n";

/* The rules are those of agent/webview, whose tests have the same addresses. */
static void pages(void) {
    core_begin(&core, "", 0, 0);
    says(waiting, 0);
    static const char *const may[] = {"https://id.acme.example/", "https://id.acme.example/signin/done?x=1#y", "https://id.acme.example", "https://id.acme.example:443/signin",
                                      "https://ID.acme.example/signin", "https://login.example:8443/authorize?a=https://", "about:blank"};
    static const char *const not[] = {
        "", "about:srcdoc", "about:blank#x", "http://id.acme.example/", "HTTPS://id.acme.example/", "https://login.example/", "https://login.example:443/", "https://login.example:08443/",
        "https://login.example:8443:8443/", "https://id.acme.example:8443/", "https://id.acme.example:443:443/", "https://acme.example/", "https://x.id.acme.example/",
        "https://id.acme.example.evil/", "https://id.acme.example./", "https://evil/id.acme.example/", "https://evil?https://id.acme.example", "https://evil#@id.acme.example/",
        "https://id.acme.example@evil/", "https://id.acme.example:x@evil/", "https://ann@id.acme.example/", "https://evil\\@id.acme.example/", "https://id.acme.example\\@evil/",
        "https:\\\\id.acme.example/", "https:id.acme.example/", "https:///id.acme.example/", "//id.acme.example/", " https://id.acme.example/", "https://id.acme.example/\n",
        "https://id.acme\t.example/", "https://id.acme.example%00.evil/", "https://id%2eacme.example/", "https://id\343\200\202acme.example/", "https://", "https://:443",
        "file:///etc/passwd", "file://id.acme.example/", "data:text/html,x", "blob:https://id.acme.example/1", "javascript:alert(1)", "mailto:ann@acme.example", "ftp://id.acme.example/",
        "x-apple.systempreferences:", "tel:110"};
    for (size_t i = 0; i < sizeof may / sizeof *may; i++) assert(core_may_show(&core, may[i]));
    for (size_t i = 0; i < sizeof not / sizeof *not; i++) assert(!core_may_show(&core, not[i]) && !core_may_browse(&core, not[i]));
    assert(wants("show") == CORE_SHOW && wants("shut") == CORE_SHUT && wants("ready") == CORE_READY && wants("show\n") == CORE_SHOW);
    core_tell(&core, told, 1); /* nobody else is told the address */
    assert(!strstr(told, "signin"));
    says("screen 8\nstate=number\n\n", 0);
    assert(wants("show") == CORE_SHOW && core_may_show(&core, may[0])); /* that stays while it is typed */
    says("screen 8\nstate=creating\n\n", 0);
    assert(wants("show") == CORE_MALFORMED && !core_may_show(&core, may[0]) && !*core.page); /* there is nothing to show */
    says("screen 9\nstate=waiting\nuri=https://id.acme.example/\nqrtext=https://id.acme.example/?c=1\norigin=https://id.acme.example\n\n", 0);
    says("screen 10\nstate=number\n\n", 0);
    assert(wants("show") == CORE_MALFORMED && !core_may_show(&core, may[0])); /* a code for another device is not for this one */
    assert(wants("apple") == CORE_NOTHING && core.outcome == CORE_APPLE);
    core_lost(&core);
    assert(!strcmp(core.note, "{\"kind\":\"lost\"}") && wants("act submit 8") == CORE_MALFORMED && wants("refresh") == CORE_MALFORMED && sends(""));
}

/* What the page asks is asked word for word, one thing at a time. */
static void desks(void) {
    static const char *const none[] = {
        "ask", "ask ", "ask watch", "ask users all", "ask user", "ask userss", "ask  users", "ask wifi", "ask wifi maybe", "ask power", "ask power off", "ask logon 7", "ask refresh", "ask bye",
        "ask join", "field name A\nask scan", "field password p\nask join", "field name A\nfield name B\nask join", "field name A\nfield number 1\nask join", "field name\nask join",
        "ask users\nask info", "field name A\nask join\nfield name B",
    };
    begin();
    core_tell(&core, told, 1);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert(wants(none[i]) == CORE_MALFORMED && sends("") && core.desk.join.size == 0);
    assert(wants("ask users") == CORE_NOTHING && sends("users\n"));
    assert(wants("ask users") == CORE_REPLIES && !strcmp(core.reply, "{\"kind\":\"answer\",\"verb\":\"users\",\"error\":\"busy\"}"));
    assert(wants("field name Caf\303\251\nfield password hunter22\nfield hidden yes\nfield identity 1\nask join") == CORE_NOTHING && wants("ask power restart") == CORE_NOTHING && sends(""));
    assert(wants("field name B\nask join") == CORE_REPLIES && wants("ask power shutdown") == CORE_REPLIES && sends(""));
    says("ok scan\n\nok join\n\n", 1); /* nobody has asked that yet */
    assert(tells("") && sends(""));
    says("ok users\nlist=yes\nuser=ann managed Ann %25 <Example>\nuser=bob local \nmore=\n\n", 1);
    assert(sends("")); /* before the page has it, nothing else is asked */
    assert(tells("{\"kind\":\"answer\",\"verb\":\"users\",\"pairs\":[[\"list\",\"yes\"],[\"user\",\"ann managed Ann % \\u003cExample\\u003e\"],[\"user\",\"bob local \"],[\"more\",\"\"]]}"));
    assert(sends("field name Caf\303\251\nfield password hunter22\nfield hidden yes\nfield identity 1\njoin\n") && !holds("hunter22"));
    says("error unknown\nmessage=the agent does not know join\n\n", 1);
    assert(tells("{\"kind\":\"answer\",\"verb\":\"join\",\"error\":\"unknown\",\"message\":\"the agent does not know join\"}") && sends("power restart\n"));
    says("error others\n\n", 1);
    assert(tells("{\"kind\":\"answer\",\"verb\":\"power\",\"error\":\"others\"}") && sends("") && !core.typed);
    assert(wants("ask wifi off") == CORE_NOTHING && sends("wifi off\n"));
    assert(wants("act submit 7") == CORE_NOTHING && sends("act submit 7\n"));
    says("error stale\n\n", 1); /* is the action's */
    assert(tells("{\"kind\":\"stale\"}"));
    says("ok wifi\n\n", 1);
    assert(tells("{\"kind\":\"answer\",\"verb\":\"wifi\",\"pairs\":[]}") && refuses("error unknown\n\n")); /* nobody has asked */
    static const char *const ends[] = {"error malformed\n\n", "error version\n\n", "error hello\n\n"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        begin();
        assert(wants("ask info") == CORE_NOTHING && sends("info\n") && refuses(ends[i]));
    }
    begin(); /* another page knows nothing of what was asked */
    assert(wants("ask info") == CORE_NOTHING && wants("field name A\nfield password hunter22\nask join") == CORE_NOTHING && sends("info\n"));
    says("ok info\ncomputer=MAC-1\n\n", 1);
    core_anew(&core);
    core_tell(&core, told, 1);
    assert(!holds("MAC-1\"") && !holds("hunter22") && sends("watch 0\n"));
    begin();
    assert(wants("ask info") == CORE_NOTHING);
    core_lost(&core);
    assert(wants("ask info") == CORE_REPLIES && !strcmp(core.reply, "{\"kind\":\"answer\",\"verb\":\"info\",\"error\":\"lost\"}") && sends(""));
    core_begin(&core, "", 1, 0); /* who has unlocked the disk comes first */
    says("hello 1\n\n", 0);
    assert(wants("ask info") == CORE_REPLIES && sends("hello 1 login-window\nfilevault\n"));
}

/* An answer that does not fit is none; what is refused is not kept. */
static void larges(void) {
    static char block[SURFACE_BLOCK + 1];
    size_t n = strlen(strcpy(block, "ok network\n"));
    while (n + 1000 < sizeof block) n += (size_t)sprintf(block + n, "x=%s\n", "<><><><><><><><><><><><><><><><><><><><><><><><><>");
    strcpy(block + n, "\n");
    begin();
    core_tell(&core, told, 1);
    assert(wants("ask network") == CORE_NOTHING && sends("network\n"));
    says(block, 1);
    assert(tells("{\"kind\":\"answer\",\"verb\":\"network\",\"error\":\"large\"}"));
    while (requests_add(&core.out, "act a 7", "") == 0) core.acts++; /* a service that does not read */
    assert(wants("field name A\nfield password hunter22\nask join") == CORE_NOTHING && core.desk.join.size > 0 && core_take(&core, out, 1) > 0);
    assert(sends("field name A\nfield password hunter22\njoin\n"));
}

/* The network's own page may be anywhere in the web, while there is one. */
static void portals(void) {
    static const char *const answers[] = {"internet=captive\nportal=http://login.cafe/?u=%25", "portal=https://a\ninternet=captive"};
    static const char *const without[] = {"internet=captive", "internet=yes\nportal=http://login.cafe/", "portal=http://login.cafe/", "internet=captive\nportal=file:///etc/passwd",
                                          "internet=captive\nportal=javascript:alert(1)", "internet=captive\nportal=http://", "internet=captive\nportal=http://ann@evil/"};
    char block[200];
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        begin();
        core_tell(&core, told, 1);
        assert(wants("portal") == CORE_MALFORMED && !core_may_browse(&core, "http://login.cafe/"));
        sprintf(block, "ok network\n%s\n\n", answers[i]);
        says(block, 1); /* that nobody has asked for */
        assert(!*core.portal && wants("ask network") == CORE_NOTHING);
        says(block, 1);
        assert(!strcmp(core.portal, i ? "https://a" : "http://login.cafe/?u=%") && wants("portal") == CORE_PORTAL);
        assert(core_may_browse(&core, "http://elsewhere.example:8080/x") && core_may_browse(&core, "https://id.acme.example/") && core_may_browse(&core, "about:blank"));
        assert(!core_may_browse(&core, "file:///etc/passwd") && !core_may_browse(&core, "http://a\\b/") && !core_may_show(&core, "http://login.cafe/"));
        core_tell(&core, told, 1);
        assert(wants("ask network") == CORE_NOTHING);
        says("error failed\n\n", 1);
        assert(!*core.portal && wants("portal") == CORE_MALFORMED && !core_may_browse(&core, "http://login.cafe/"));
    }
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        begin();
        assert(wants("ask network") == CORE_NOTHING);
        sprintf(block, "ok network\n%s\n\n", without[i]);
        says(block, 1);
        assert(!*core.portal);
    }
}

/* What the page wants of the host's own Wi-Fi. */
static void wlans(void) {
    static const char *const none[] = {
        "wlan", "wlan ", "wlan scan now", "wlan off", "wlan join", "field name A\nwlan scan", "field name \nwlan join", "field name A\nfield identity 1\nwlan join",
        "field name A\nfield hidden no\nwlan join", "field name 012345678901234567890123456789012\nwlan join", "field name A%00\nwlan join",
        "field name A\nfield password 01234567890123456789012345678901234567890123456789012345678901234\nwlan join",
    };
    core_begin(&core, "", 0, 0); /* there is no need of a service */
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert(wants(none[i]) == CORE_MALFORMED && !*core.wlan.name && !holds("0123456789"));
    assert(wants("wlan scan") == CORE_WLAN && !core.wlan.join);
    assert(wants("field name 100%25 Caf\303\251\nfield password hunter22\nfield hidden yes\nwlan join") == CORE_WLAN && core.wlan.join && core.wlan.hidden);
    assert(!strcmp(core.wlan.name, "100% Caf\303\251") && !strcmp(core.wlan.password, "hunter22"));
    assert(wants("field name A\nwlan join") == CORE_WLAN && !core.wlan.hidden && !*core.wlan.password && !holds("hunter22"));

    static struct networks all;
    static char text[NETWORKS_PAGE];
    for (int i = 0; i < 200; i++) {
        char name[40];
        sprintf(name, "<<<<<<<<<<<<<<<<<<<<<<<<<<<<%d", i % 90);
        networks_add(&all, name, "enterprise", -(i * 37 % 100));
        for (int k = 1; k < all.count; k++) assert(all.list[k - 1].rssi >= all.list[k].rssi);
        for (int k = 0; k < all.count; k++)
            for (int l = 0; l < k; l++) assert(strcmp(all.list[k].name, all.list[l].name));
    }
    networks_tell(&all, "location", text);
    assert(all.count == NETWORKS && !strcmp(text + strlen(text) - strlen("[\"withheld\",\"location\"]]}"), "[\"withheld\",\"location\"]]}")); /* it has room */
    memset(&all, 0, sizeof all);
    networks_add(&all, "", "open", -10);
    networks_add(&all, "012345678901234567890123456789012", "open", -10);
    networks_add(&all, "A \"1\"", "open", -85);
    networks_add(&all, "B", "password", -56);
    networks_add(&all, "A \"1\"", "password", -55);
    networks_add(&all, "B", "open", -90);
    networks_add(&all, "C", "password", -70);
    networks_add(&all, "C", "open", -30); /* which is not the way to it */
    networks_add(&all, "C", "enterprise", -80);
    networks_tell(&all, "", text);
    assert(!strcmp(text, "{\"kind\":\"answer\",\"verb\":\"wlan\",\"pairs\":[[\"network\",\"enterprise new 4 C\"],[\"network\",\"password new 4 A \\u00221\\u0022\"],[\"network\",\"password new 3 B\"]]}"));
    networks_joined("A", "password", text);
    assert(!strcmp(text, "{\"kind\":\"answer\",\"verb\":\"wlan\",\"pairs\":[[\"join\",\"failed\"],[\"joincode\",\"password\"],[\"joinname\",\"A\"]]}"));
}

/* By what pages are known: the anchors hold at the first page's host and port only, as
 * long as that is shown. */
static void trusts(void) {
    static const struct { const char *page, *host; long port; } own[] = {
        {"https://id.acme.example/signin?code=1", "id.acme.example", 443}, {"https://id.acme.example", "ID.acme.Example", 443}, {"https://id.acme.example:443/", "id.acme.example", 443},
        {"https://id.acme.example:8443?x", "id.acme.example", 8443}, {"https://[2001:db8::1]:8443/", "2001:db8::1", 8443}, {"https://[2001:db8::1]", "2001:db8::1", 443},
        {"https://192.0.2.7/#x", "192.0.2.7", 443},
    }, others[] = {
        {"https://id.acme.example/", "id.acme.example", 8443}, {"https://id.acme.example:8443/", "id.acme.example", 443}, {"https://id.acme.example/", "id.acme", 443},
        {"https://id.acme.example/", "id.acme.example.", 443}, {"https://id.acme.example/", "x.id.acme.example", 443}, {"https://id.acme.example/", "", 443},
        {"https://id.acme.example/", "id.acme.example/", 443}, {"https://id.acme.example:8443/", "id.acme.example:8443", 8443}, {"https://id@evil/", "id", 443},
        {"https://id@evil/", "id@evil", 443}, {"https://id@evil/", "evil", 443}, {"https://id:443@evil/", "id", 443}, {"https://id\\@evil/", "id", 443}, {"https://id:99999999999999999999443/", "id", 443},
        {"https://id:443x/", "id", 443}, {"https://id:/", "id", 443}, {"https://[2001:db8::1/", "2001:db8::1", 443}, {"https://[2001:db8::1]x/", "2001:db8::1", 443},
        {"https://[2001:db8::1]/", "[2001:db8::1]", 443}, {"http://id.acme.example/", "id.acme.example", 443}, {"https://", "", 443}, {"https", "https", 443}, {"https:///", "", 0},
    };
    static const char anchor[] = "anchor=MAMCAQc=\n"; /* 30 03 02 01 07 */
    char block[400];
    for (size_t i = 0; i < sizeof own / sizeof *own + sizeof others / sizeof *others; i++) {
        int is_own = i < sizeof own / sizeof *own;
        const char *page = is_own ? own[i].page : others[i - sizeof own / sizeof *own].page, *host = is_own ? own[i].host : others[i - sizeof own / sizeof *own].host;
        long port = is_own ? own[i].port : others[i - sizeof own / sizeof *own].port;
        begin();
        sprintf(block, "screen 8\nstate=waiting\npage=%s\n%s\n", page, anchor);
        says(block, 1);
        assert(core.anchors_size == 5 && !memcmp(core.anchors, "\x30\x03\x02\x01\x07", 5));
        assert(core_trusts(&core, 0, 1, host, port) == (is_own ? CORE_ANCHORS : CORE_SYSTEM) && core_trusts(&core, 0, 0, host, port) == CORE_NOTHING_SAID);
        says("screen 9\nstate=number\n\n", 1); /* the page stays */
        assert(core_trusts(&core, 0, 1, host, port) == (is_own ? CORE_ANCHORS : CORE_SYSTEM));
        sprintf(block, "screen 10\nstate=waiting\npage=%s\n\n", page); /* one that the system knows */
        says(block, 1);
        assert(core_trusts(&core, 0, 1, host, port) == CORE_SYSTEM && core.anchors_size == 0);
        sprintf(block, "screen 11\nstate=creating\n%s\n", anchor); /* of no page */
        says(block, 1);
        assert(core_trusts(&core, 0, 1, host, port) == CORE_NOTHING_SAID && core_trusts(&core, 1, 1, host, port) == CORE_NOTHING_SAID);
    }
    begin(); /* a portal's pages the system knows, wherever they are */
    sprintf(block, "screen 8\nstate=waiting\npage=https://id.acme.example/\n%s\n", anchor);
    says(block, 1);
    core_tell(&core, told, 1);
    assert(wants("ask network") == CORE_NOTHING);
    says("ok network\ninternet=captive\nportal=https://id.acme.example/\n\n", 1);
    assert(core_trusts(&core, 1, 1, "id.acme.example", 443) == CORE_SYSTEM && core_trusts(&core, 1, 0, "id.acme.example", 443) == CORE_NOTHING_SAID);
    assert(core_trusts(&core, 0, 1, "id.acme.example", 443) == CORE_ANCHORS);
    core_lost(&core); /* with the service, before the pages are shut */
    assert(core_trusts(&core, 1, 1, "id.acme.example", 443) == CORE_NOTHING_SAID && core_trusts(&core, 0, 1, "id.acme.example", 443) == CORE_NOTHING_SAID);
}

static int secrets(void) {
    trusts();
    logons();
    locals();
    unlocks();
    pages();
    desks();
    larges();
    portals();
    wlans();
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
    core_tell(&core, told, 400);
    assert(core_page(&core, "ask users", 9, 410) == CORE_NOTHING && core_page(&core, "ask info", 8, 420) == CORE_NOTHING);
    assert(core_left(&core, 420) == CORE_ANSWER - 10 && core_left(&core, 410 + CORE_ANSWER) == 0);
    says("ok users\n\n", 430);
    assert(core_left(&core, 430) == CORE_WATCH - 30 && core_tell(&core, told, 440) && core_left(&core, 440) == CORE_ANSWER); /* its time begins when it is sent */
    says("error failed\n\n", 450);
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
