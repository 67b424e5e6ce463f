/* Whether a server is the one that it says it is, as macOS finds by the certificates of
 * CAs that the service has told of. Declarations are our own; each name stands in stubs. */
#include "cocoa.h"
#include "visit.h"

@interface NSArray : NSObject
+ (NSArray *)arrayWithObjects:(const id *)objects count:(NSUInteger)count;
@end

/* Security/SecCertificate.h, SecPolicy.h, SecTrust.h, CoreFoundation/CFBase.h. What is
 * of CoreFoundation there, Foundation's classes stand in for. */
extern void *SecCertificateCreateWithData(void *allocator, NSData *der);
extern void *SecPolicyCreateSSL(unsigned char server, void *host);
extern int SecTrustSetPolicies(void *trust, void *policy);
extern int SecTrustSetAnchorCertificates(void *trust, NSArray *anchors);
extern int SecTrustSetAnchorCertificatesOnly(void *trust, unsigned char only);
extern int SecTrustSetNetworkFetchAllowed(void *trust, unsigned char allowed);
extern _Bool SecTrustEvaluateWithError(void *trust, void **error);
extern void CFRelease(void *);

/* Reads certificates, which whoever calls releases. Gives their number; 0 if one is
 * none. */
static NSUInteger certificates_of(const unsigned char *der, size_t size, id out[SURFACE_ANCHORS]) {
    NSUInteger count = 0;
    while (size > 0 && count < SURFACE_ANCHORS) {
        size_t length = surface_certificate(der, size);
        void *one = length > 0 ? SecCertificateCreateWithData(0, [NSData dataWithBytes:der length:length]) : 0;
        if (!one) break;
        out[count++] = one;
        der += length;
        size -= length;
    }
    if (size == 0) return count;
    while (count > 0) CFRelease(out[--count]);
    return 0;
}

/* The policy is set anew, so that the name is looked at whatever it was. Nothing is
 * fetched: the main thread waits. */
int trust_holds(void *trust, void *host, const unsigned char *anchors, size_t size) {
    id all[SURFACE_ANCHORS];
    NSUInteger count = trust && host ? certificates_of(anchors, size, all) : 0;
    void *policy = count > 0 ? SecPolicyCreateSSL(1, host) : 0;
    int holds = policy && !SecTrustSetPolicies(trust, policy) &&
                !SecTrustSetAnchorCertificates(trust, [NSArray arrayWithObjects:all count:count]) &&
                !SecTrustSetAnchorCertificatesOnly(trust, 1) && !SecTrustSetNetworkFetchAllowed(trust, 0) && SecTrustEvaluateWithError(trust, 0);
    if (policy) CFRelease(policy);
    while (count > 0) CFRelease(all[--count]);
    return holds;
}
