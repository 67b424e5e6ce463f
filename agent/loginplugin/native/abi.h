/* What macOS and its authorization plug-ins say to each other, in declarations of
 * our own: no header of an SDK is needed. The names are Apple's, from
 * Security/AuthorizationPlugin.h; layouts and numbers are its ABI. */
#ifndef FIRSTDAY_ABI_H
#define FIRSTDAY_ABI_H

typedef int OSStatus;
typedef unsigned int UInt32;

enum { errAuthorizationInternal = -60008, memFullErr = -108 };

/* What a mechanism ends with. */
typedef enum {
    kAuthorizationResultAllow = 0,
    kAuthorizationResultDeny = 1,         /* authd runs the list that it has read once more, from the top */
    kAuthorizationResultUserCanceled = 3, /* authd ends; who asks again has the list read again */
} AuthorizationResult;

enum { kAuthorizationContextFlagExtractable = 1 };

typedef struct AuthorizationValue {
    unsigned long length;
    void *data;
} AuthorizationValue;

typedef struct AuthorizationCallbacks {
    UInt32 version;
    OSStatus (*SetResult)(void *engine, UInt32 result);
    OSStatus (*RequestInterrupt)(void *engine);
    OSStatus (*DidDeactivate)(void *engine);
    OSStatus (*GetContextValue)(void *engine, const char *key, UInt32 *flags, const AuthorizationValue **value);
    OSStatus (*SetContextValue)(void *engine, const char *key, UInt32 flags, const AuthorizationValue *value);
    OSStatus (*GetHintValue)(void *engine, const char *key, const AuthorizationValue **value);
    OSStatus (*SetHintValue)(void *engine, const char *key, const AuthorizationValue *value);
    /* There are more, which are not called. */
} AuthorizationCallbacks;

typedef struct AuthorizationPluginInterface {
    UInt32 version; /* 0 */
    OSStatus (*PluginDestroy)(void *plugin);
    OSStatus (*MechanismCreate)(void *plugin, void *engine, const char *id, void **mechanism);
    OSStatus (*MechanismInvoke)(void *mechanism);
    OSStatus (*MechanismDeactivate)(void *mechanism);
    OSStatus (*MechanismDestroy)(void *mechanism);
} AuthorizationPluginInterface;

_Static_assert(sizeof(AuthorizationCallbacks) == 64 && sizeof(AuthorizationPluginInterface) == 48, "64 bits");

#endif
