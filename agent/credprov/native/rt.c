/* What compilers and loaders expect of a C library, which we have none of. */
#include <stdint.h>
#include <stddef.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

void *memset(void *to, int value, size_t count) {
    unsigned char *b = to;
    while (count-- > 0) *b++ = (unsigned char)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t count) {
    unsigned char *b = to;
    const unsigned char *a = from;
    while (count-- > 0) *b++ = *a++;
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *x = a, *y = b;
    for (; count > 0; count--, x++, y++)
        if (*x != *y) return *x < *y ? -1 : 1;
    return 0;
}

size_t strlen(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c) {
    for (;; s++) {
        if (*s == (char)c) return (char *)s;
        if (!*s) return NULL;
    }
}

size_t strspn(const char *s, const char *of) {
    size_t n = 0;
    while (s[n] && strchr(of, s[n])) n++;
    return n;
}

/* The stack's guard, other in every process. */
uintptr_t __stack_chk_guard = 0x2b992ddfa232;

__attribute__((noreturn)) void __stack_chk_fail(void) {
#ifdef __x86_64__
    __asm__ volatile("int $0x29" ::"c"(2)); /* FAST_FAIL_STACK_COOKIE_CHECK_FAILURE */
#else
    register uint64_t code __asm__("x0") = 2;
    __asm__ volatile("brk #0xf003" ::"r"(code));
#endif
    __builtin_unreachable();
}

/* Control flow guard: Windows puts its own checks into these pointers, before
 * which every target is fine. */
#ifdef __x86_64__
__attribute__((naked)) static void dispatch(void) { __asm__("jmp *%rax"); }
#else
__attribute__((naked)) static void dispatch(void) { __asm__("br x9"); }
#endif
__attribute__((naked)) static void check(void) { __asm__("ret"); }

#define GUARD __attribute__((section(".00cfg"), used))
GUARD void (*volatile const __guard_check_icall_fptr)(void) = check;
GUARD void (*volatile const __guard_dispatch_icall_fptr)(void) = dispatch;

extern char __guard_fids_table[], __guard_fids_count[]; /* of the linker; the count is the symbol's address */

struct load_config { /* IMAGE_LOAD_CONFIG_DIRECTORY64, of which Debian's headers know too little */
    DWORD size, stamp, version, flags_clear, flags_set, timeout;
    ULONGLONG free_block, free_total, lock_prefixes, most, threshold, affinity;
    DWORD heap_flags;
    WORD service_pack, load_flags;
    ULONGLONG edit_list, cookie, handlers, handler_count, check, dispatch, functions, function_count;
    DWORD guard_flags, end;
};

_Static_assert(offsetof(struct load_config, guard_flags) == 144, "as documented");

__attribute__((used)) const struct load_config _load_config_used = {
    .size = offsetof(struct load_config, end),
    .load_flags = 0x800, /* what we import comes from the system's own folder */
    .cookie = (ULONGLONG)&__stack_chk_guard,
    .check = (ULONGLONG)&__guard_check_icall_fptr,
    .dispatch = (ULONGLONG)&__guard_dispatch_icall_fptr,
    .functions = (ULONGLONG)__guard_fids_table,
    .function_count = (ULONGLONG)__guard_fids_count,
    .guard_flags = 0x100 /* instrumented */ | 0x400 /* there is a table */,
};

/* Windows changes a cookie that has its well-known first value. Where it does not,
 * as in Wine, we do. */
__attribute__((no_stack_protector)) BOOL WINAPI DllMain(HINSTANCE module, DWORD why, void *reserved) {
    (void)reserved;
    if (why != DLL_PROCESS_ATTACH) return TRUE;
    DisableThreadLibraryCalls(module);
    if (__stack_chk_guard == 0x2b992ddfa232) {
        LARGE_INTEGER ticks;
        QueryPerformanceCounter(&ticks);
        __stack_chk_guard ^= ((uintptr_t)ticks.QuadPart << 16 ^ (uintptr_t)&ticks ^ GetCurrentProcessId()) & 0xffffffffffff;
    }
    return TRUE;
}
