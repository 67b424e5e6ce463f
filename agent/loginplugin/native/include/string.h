/* What the reader of the protocol and the core call of a C library. Each name
 * stands in stubs/usr/lib/libSystem.tbd. */
#ifndef FIRSTDAY_STRING_H
#define FIRSTDAY_STRING_H

#include <stddef.h>

size_t strlen(const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
char *strchr(const char *, int);
size_t strspn(const char *, const char *);
size_t strcspn(const char *, const char *);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t);
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);

#endif
