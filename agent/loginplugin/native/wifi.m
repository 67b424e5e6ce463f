/* Wi-Fi as this process sees it, by CoreWLAN. macOS tells the names of networks to
 * few processes; one of its own hosts may be among them where the agent is not. Its
 * calls wait as long as they like: they have a thread of their own, and whoever waits
 * for it gives up, see visit.c. */
#include "cocoa.h"
#include "networks.h"
#include "visit.h"

#include <string.h>

@interface NSArray : NSObject
- (NSUInteger)count;
- (id)objectAtIndex:(NSUInteger)i;
@end
@interface NSSet : NSObject
- (NSArray *)allObjects;
@end
@interface CWNetwork : NSObject
- (NSString *)ssid;
- (NSInteger)rssiValue;
- (BOOL)supportsSecurity:(NSInteger)s;
@end
@interface CWInterface : NSObject
- (BOOL)powerOn;
- (NSSet *)scanForNetworksWithName:(NSString *)name error:(NSError **)e;
- (NSSet *)scanForNetworksWithSSID:(NSData *)name error:(NSError **)e;
- (BOOL)associateToNetwork:(CWNetwork *)n password:(NSString *)password error:(NSError **)e;
@end
@interface CWWiFiClient : NSObject
+ (CWWiFiClient *)sharedWiFiClient;
- (CWInterface *)interface;
@end

/* CWSecurity, of CoreWLANTypes.h. */
enum {
    NONE = 0, DYNAMIC_WEP = 6, WPA_ENTERPRISE = 7, WPA_ENTERPRISE_MIXED = 8, WPA2_ENTERPRISE = 9, ENTERPRISE = 10, WPA3_ENTERPRISE = 12,
    OWE = 14, OWE_TRANSITION = 15
};

/* CWErr, of the same. */
enum {
    TIMEOUT = -3905, REASSOCIATION_DENIED = -3908, ASSOCIATION_DENIED = -3909, CHALLENGE_FAILURE = -3912, AP_FULL = -3913,
    INVALID_PMK = -3924, SUPPLICANT_TIMEOUT = -3925, NOT_PERMITTED = -3930
};

struct job {
    struct visit *visit;
    struct core_wlan what;
    struct networks found;
    char answer[NETWORKS_PAGE];
};

static int supports(CWNetwork *n, const NSInteger *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if ([n supportsSecurity:list[i]]) return 1;
    return 0;
}

static const char *kind(CWNetwork *n) {
    static const NSInteger enterprise[] = {WPA2_ENTERPRISE, WPA3_ENTERPRISE, ENTERPRISE, WPA_ENTERPRISE_MIXED, WPA_ENTERPRISE, DYNAMIC_WEP};
    static const NSInteger open[] = {NONE, OWE, OWE_TRANSITION};
    if (supports(n, enterprise, sizeof enterprise / sizeof *enterprise)) return "enterprise";
    return supports(n, open, sizeof open / sizeof *open) ? "open" : "password";
}

/* A network's name; NULL: it is withheld, or no text. */
static const char *name_of(CWNetwork *n) { return [[n ssid] UTF8String]; }

/* Finds all networks. Gives why names are missing. */
static const char *scan(struct job *j, CWInterface *wifi) {
    NSError *error = 0;
    if (![wifi powerOn]) return "off";
    NSArray *all = [[wifi scanForNetworksWithName:0 error:&error] allObjects];
    if (!all) return "failed";
    int named = 0;
    for (NSUInteger i = 0; i < [all count]; i++) {
        CWNetwork *n = [all objectAtIndex:i];
        const char *name = name_of(n);
        if (!name) continue;
        named = 1;
        networks_add(&j->found, name, kind(n), [n rssiValue]);
    }
    return named || [all count] == 0 ? "" : "location";
}

static const char *why(NSError *error) {
    switch ([error code]) {
    case TIMEOUT: return "timeout";
    case CHALLENGE_FAILURE:
    case INVALID_PMK:
    case SUPPLICANT_TIMEOUT: return "password";
    case REASSOCIATION_DENIED:
    case ASSOCIATION_DENIED:
    case AP_FULL:
    case NOT_PERMITTED: return "refused";
    default: return "failed";
    }
}

/* Joins the strongest of the networks that have the name and want what there is: who
 * gives a password wants one that asks for it, and not one that only bears its name.
 * Gives why it did not. The rules are those of agent/wifi. */
static const char *join(struct job *j, CWInterface *wifi) {
    struct core_wlan *what = &j->what;
    const char *want = *what->password ? "password" : "open", *other = "";
    NSError *error = 0;
    CWNetwork *best = 0;
    if (![wifi powerOn]) return "failed";
    NSSet *seen = what->hidden ? [wifi scanForNetworksWithSSID:[NSData dataWithBytes:what->name length:strlen(what->name)] error:&error]
                               : [wifi scanForNetworksWithName:[NSString stringWithUTF8String:what->name] error:&error];
    NSArray *all = [seen allObjects];
    if (!all) return why(error);
    for (NSUInteger i = 0; i < [all count]; i++) {
        CWNetwork *n = [all objectAtIndex:i];
        const char *name = name_of(n), *is = kind(n);
        if (!name || strcmp(name, what->name)) continue;
        if (strcmp(is, want)) other = strcmp(other, "enterprise") ? is : other;
        else if (!best || [n rssiValue] > [best rssiValue]) best = n;
    }
    if (!best) return !strcmp(other, "enterprise") ? "identity" : !strcmp(other, "password") ? "password" : "not_found";
    error = 0;
    return [wifi associateToNetwork:best password:*what->password ? [NSString stringWithUTF8String:what->password] : 0 error:&error] ? "" : why(error);
}

static void *work(void *p) {
    struct job *j = p;
    void *pool = objc_autoreleasePoolPush();
    CWInterface *wifi = [[CWWiFiClient sharedWiFiClient] interface];
    if (!wifi) {
        networks_unknown(j->answer);
    } else if (j->what.join) {
        networks_joined(j->what.name, join(j, wifi), j->answer);
    } else {
        const char *withheld = scan(j, wifi);
        networks_tell(&j->found, withheld, j->answer);
    }
    objc_autoreleasePoolPop(pool);
    visit_found(j->visit, j->answer);
    visit_drop(j->visit);
    memset_s(j, sizeof *j, 0, sizeof *j);
    free(j);
    return NULL;
}

int wifi_begin(struct visit *v, const struct core_wlan *what) {
    pthread_t t;
    struct job *j = calloc(1, sizeof *j);
    if (!j) return -1;
    j->visit = visit_keep(v);
    j->what = *what;
    if (pthread_create(&t, NULL, work, j)) {
        visit_drop(v);
        memset_s(j, sizeof *j, 0, sizeof *j);
        free(j);
        return -1;
    }
    pthread_detach(t);
    return 0;
}
