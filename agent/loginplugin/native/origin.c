/* Which pages may be shown beside ours, and by what it is known that they come from
 * there: the rules for the first are those of agent/webview, the window's on Windows. */
#include "parts.h"

#include <string.h>

/* Longer than the addresses of sign-ins, which carry requests, and what providers
 * remember in them. */
enum { ADDRESS = 64 << 10 };

/* Browsers escape all else. Whatever two readers could read in two ways is none. */
static int is_plain(const char *address) {
    size_t i = 0;
    for (; address[i]; i++)
        if (i == ADDRESS || address[i] <= ' ' || address[i] > '~' || address[i] == '\\') return 0;
    return 1;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Tells whether an address is of an origin, which is as browsers write them: in lower
 * case, without the port that https has. */
static int is_of(const char *address, const char *origin) {
    static const char scheme[] = "https://", port[] = ":443";
    const char *host = address + sizeof scheme - 1;
    if (!begins(address, scheme) || !begins(origin, scheme)) return 0;
    size_t length = strcspn(host, "/?#"), i = 0;
    if (length > sizeof port - 1 && !strncmp(host + length - (sizeof port - 1), port, sizeof port - 1)) length -= sizeof port - 1;
    for (origin += sizeof scheme - 1; i < length && origin[i]; i++)
        if (lower(host[i]) != origin[i] || strchr("@%", host[i])) return 0;
    return length > 0 && i == length && !origin[i];
}

int core_may_show(const struct core *c, const char *address) {
    if (!*c->page) return 0;
    if (!strcmp(address, "about:blank")) return 1; /* what frames are that scripts fill */
    if (!is_plain(address)) return 0;
    for (int i = 0; i < c->origin_count; i++)
        if (is_of(address, c->origins[i])) return 1;
    return 0;
}

/* Tells whether a host and a port are those of an address; the host without the
 * brackets that an address of IPv6 has there. */
static int is_at(const char *address, const char *host, long port) {
    static const char scheme[] = "https://";
    const char *at = address + sizeof scheme - 1;
    long stated = 443;
    if (!begins(address, scheme) || !*host) return 0;
    int bracket = *at == '[';
    for (at += bracket; *host; at++, host++)
        if (lower(*at) != lower(*host) || strchr("/?#@%[]\\", *at)) return 0;
    if (bracket && *at++ != ']') return 0;
    if (*at == ':')
        for (stated = 0, at++; *at >= '0' && *at <= '9' && stated <= 0xffff; at++) stated = stated * 10 + (*at - '0');
    return strchr("/?#", *at) && stated == port; /* or it ends there */
}

enum core_trust core_trusts(const struct core *c, int portal, int certificate, const char *host, long port) {
    if (!certificate || !*(portal ? c->portal : c->page)) return CORE_NOTHING_SAID;
    return !portal && c->anchors_size > 0 && is_at(c->page, host, port) ? CORE_ANCHORS : CORE_SYSTEM;
}

int is_web(const char *address) {
    const char *host = begins(address, "https://") ? address + 8 : begins(address, "http://") ? address + 7 : "";
    size_t length = strcspn(host, "/?#");
    return length > 0 && !memchr(host, '@', length) && is_plain(address);
}

int core_may_browse(const struct core *c, const char *address) { return *c->portal && (!strcmp(address, "about:blank") || is_web(address)); }
