/* What more than one file calls of Foundation, in declarations of our own. Each
 * class stands in stubs. */
#ifndef FIRSTDAY_COCOA_H
#define FIRSTDAY_COCOA_H

#ifdef __x86_64__
typedef signed char BOOL;
#else
typedef _Bool BOOL;
#endif
typedef long NSInteger;
typedef unsigned long NSUInteger;

__attribute__((objc_root_class)) @interface NSObject { Class isa; }
+ (id)alloc;
+ (Class)class;
- (id)init;
- (id)retain;
- (void)release;
@end
@interface NSString : NSObject
+ (NSString *)stringWithUTF8String:(const char *)s;
- (const char *)UTF8String;
- (BOOL)isKindOfClass:(Class)c;
- (BOOL)isEqualToString:(NSString *)s;
@end
@interface NSData : NSObject
+ (NSData *)dataWithBytes:(const void *)bytes length:(NSUInteger)n;
@end
@interface NSError : NSObject
- (NSInteger)code;
@end

extern void *objc_autoreleasePoolPush(void);
extern void objc_autoreleasePoolPop(void *);

#endif
