/* Text in JSON that grows in a buffer, for the page. */
#ifndef FIRSTDAY_JSON_H
#define FIRSTDAY_JSON_H

#include <stddef.h>

struct json {
    char *at, *end; /* where it goes on, and the last byte of the buffer, which stays NUL */
    int full;       /* it did not fit */
};

/* Begins in a buffer, which is wiped. */
struct json json_begin(char *buffer, size_t room);

/* Puts JSON as it is. */
void json_put(struct json *j, const char *text);

/* Puts a string, which is UTF-8. */
void json_string(struct json *j, const char *text);

/* Puts a comma, a name and a string; nothing, if the string is empty. */
void json_pair(struct json *j, const char *name, const char *value);

#endif
