/* See requests.h. */
#include "requests.h"

#include <string.h>

int requests_add(struct requests *r, const char *verb, const char *rest) {
    size_t first = strlen(verb), second = strlen(rest), room = sizeof r->bytes - r->size;
    if (first >= room || second >= room - first) return -1;
    char *line = r->bytes + r->size;
    memcpy(line, verb, first);
    memcpy(line + first, rest, second);
    line[first + second] = '\n';
    r->size += first + second + 1;
    return 0;
}

int requests_pass(struct requests *from, struct requests *to) {
    if (from->size > sizeof to->bytes - to->size) return -1;
    memcpy(to->bytes + to->size, from->bytes, from->size);
    to->size += from->size;
    requests_unsay(from, 0);
    return 0;
}

void requests_unsay(struct requests *r, size_t size) {
    surface_wipe(r->bytes + size, r->size - size);
    r->size = size;
}

size_t requests_take(struct requests *r, char *out) {
    size_t size = r->size;
    memcpy(out, r->bytes, size);
    requests_unsay(r, 0);
    return size;
}
