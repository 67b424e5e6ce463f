/* See json.h. */
#include "json.h"

#include "../../local/reference/surface.h"

#include <string.h>

struct json json_begin(char *buffer, size_t room) {
    surface_wipe(buffer, room);
    return (struct json){buffer, buffer + room - 1, 0};
}

void json_put(struct json *j, const char *text) {
    for (; *text; text++) {
        if (j->at == j->end) j->full = 1;
        else *j->at++ = *text;
    }
}

/* U+2028 and U+2029 are ends of lines in older JavaScript; "<" never begins a tag. */
void json_string(struct json *j, const char *text) {
    static const char hex[] = "0123456789abcdef";
    json_put(j, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f || strchr("\"\\<>&", c)) {
            char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15], 0};
            json_put(j, escaped);
        } else if (c == 0xe2 && (unsigned char)text[1] == 0x80 && ((unsigned char)text[2] & 0xfe) == 0xa8) {
            json_put(j, (unsigned char)text[2] == 0xa8 ? "\\u2028" : "\\u2029");
            text += 2;
        } else {
            char one[] = {(char)c, 0};
            json_put(j, one);
        }
    }
    json_put(j, "\"");
}

void json_pair(struct json *j, const char *name, const char *value) {
    if (!*value) return;
    json_put(j, ",");
    json_string(j, name);
    json_put(j, ":");
    json_string(j, value);
}
