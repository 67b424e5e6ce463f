/* The window: all of the screen, a page of the bundle in a web view, and on top of
 * it, when a screen asks for it, another web view for the organisation's sign-in
 * page. Only the first can talk to us. Declarations are our own; each class stands
 * in stubs. All that is not static is called from any thread. */
#include "visit.h"

#include <string.h>

typedef double CGFloat;
typedef struct { CGFloat x, y; } CGPoint;
typedef struct { CGFloat width, height; } CGSize;
typedef struct { CGPoint origin; CGSize size; } CGRect;
#ifdef __x86_64__
typedef signed char BOOL;
#else
typedef _Bool BOOL;
#endif
typedef long NSInteger;
typedef unsigned long NSUInteger;

@class NSString, NSURL, NSURLRequest, WKWebView, WKFrameInfo;

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
@end
@interface NSURL : NSObject
+ (NSURL *)URLWithString:(NSString *)s;
- (NSString *)absoluteString;
- (NSURL *)URLByDeletingLastPathComponent;
@end
@interface NSURLRequest : NSObject
+ (NSURLRequest *)requestWithURL:(NSURL *)u;
- (NSURL *)URL;
@end
@interface NSBundle : NSObject
+ (NSBundle *)bundleForClass:(Class)c;
- (NSURL *)URLForResource:(NSString *)name withExtension:(NSString *)extension;
@end
@interface NSScreen : NSObject
+ (NSScreen *)mainScreen;
- (CGRect)frame;
@end
@interface NSView : NSObject
- (void)addSubview:(NSView *)v;
- (void)removeFromSuperview;
@end
@interface NSEvent : NSObject
- (NSUInteger)modifierFlags;
- (NSString *)charactersIgnoringModifiers;
@end
@interface NSWindow : NSObject
- (id)initWithContentRect:(CGRect)r styleMask:(NSUInteger)m backing:(NSUInteger)b defer:(BOOL)d;
- (void)setCanBecomeVisibleWithoutLogin:(BOOL)b;
- (void)setReleasedWhenClosed:(BOOL)b;
- (void)setLevel:(NSInteger)l;
- (void)setContentView:(NSView *)v;
- (void)setDelegate:(id)d;
- (id)delegate;
- (BOOL)makeFirstResponder:(id)r;
- (void)makeKeyAndOrderFront:(id)sender;
- (void)orderFrontRegardless;
- (void)orderOut:(id)sender;
- (void)close;
- (BOOL)performKeyEquivalent:(NSEvent *)e;
@end
@interface NSApplication : NSObject
+ (NSApplication *)sharedApplication;
- (void)activateIgnoringOtherApps:(BOOL)b;
@end
@interface WKUserContentController : NSObject
- (void)addScriptMessageHandler:(id)h name:(NSString *)n;
- (void)removeScriptMessageHandlerForName:(NSString *)n;
@end
@interface WKWebsiteDataStore : NSObject
+ (WKWebsiteDataStore *)nonPersistentDataStore;
@end
@interface WKWebViewConfiguration : NSObject
- (void)setWebsiteDataStore:(WKWebsiteDataStore *)s;
- (WKUserContentController *)userContentController;
@end
@interface WKWebView : NSView
- (id)initWithFrame:(CGRect)r configuration:(WKWebViewConfiguration *)c;
- (void)setNavigationDelegate:(id)d;
- (void)loadFileURL:(NSURL *)u allowingReadAccessToURL:(NSURL *)folder;
- (void)loadRequest:(NSURLRequest *)r;
- (void)evaluateJavaScript:(NSString *)s completionHandler:(id)h;
- (void)stopLoading;
- (WKUserContentController *)userContentController;
@end
@interface WKFrameInfo : NSObject
- (BOOL)isMainFrame;
@end
@interface WKScriptMessage : NSObject
- (NSString *)body;
- (WKFrameInfo *)frameInfo;
@end
@interface WKNavigationAction : NSObject
- (NSURLRequest *)request;
- (WKFrameInfo *)targetFrame;
@end

extern void *objc_autoreleasePoolPush(void);
extern void objc_autoreleasePoolPop(void *);
extern unsigned char CFPreferencesGetAppBooleanValue(const void *key, const void *application, unsigned char *valid);

enum {
    BUFFERED = 2,
    LEVEL = 1000, /* NSScreenSaverWindowLevel */
    HEAD = 72,    /* points of our page that stay above another page */
    CANCEL = 0, ALLOW = 1,
    MODIFIERS = 1 << 18 | 1 << 19 | 1 << 20 /* Control, Option, Command */
};

static NSString *text(const char *s) { return [NSString stringWithUTF8String:s]; }

@interface FirstdayLoginHost : NSObject {
  @public
    struct visit *visit;
    NSWindow *window;
    WKWebView *page, *other;
    WKWebViewConfiguration *configuration; /* of the page */
    NSURL *file;
    CGRect frame;
}
@end

/* The window takes what is typed, and a key that no page can keep away. */
@interface FirstdayLoginWindow : NSWindow
@end
@implementation FirstdayLoginWindow
- (BOOL)canBecomeKeyWindow {
    return 1;
}
- (BOOL)performKeyEquivalent:(NSEvent *)e {
    const char *key = [[e charactersIgnoringModifiers] UTF8String];
    if (([e modifierFlags] & MODIFIERS) == MODIFIERS && key && (key[0] == 'a' || key[0] == 'A') && !key[1]) {
        FirstdayLoginHost *host = [self delegate];
        if (host) visit_apple(host->visit);
        return 1;
    }
    return [super performKeyEquivalent:e];
}
@end

/* A web view that keeps nothing. */
static WKWebView *web_view(FirstdayLoginHost *host, CGRect frame, WKWebViewConfiguration *c) {
    [c setWebsiteDataStore:[WKWebsiteDataStore nonPersistentDataStore]];
    WKWebView *w = [[WKWebView alloc] initWithFrame:frame configuration:c];
    [w setNavigationDelegate:host];
    return w;
}

static void load(FirstdayLoginHost *host) { [host->page loadFileURL:host->file allowingReadAccessToURL:[host->file URLByDeletingLastPathComponent]]; }

static void evaluate(FirstdayLoginHost *host, const char *script) { [host->page evaluateJavaScript:text(script) completionHandler:0]; }

/* Shows the page that the screen asks for, from its origin and no other. */
static void show_other(FirstdayLoginHost *host) {
    char address[SURFACE_LINE];
    if (host->other || !visit_address(host->visit, address, sizeof address)) return;
    CGRect frame = host->frame;
    frame.origin.x = frame.origin.y = 0;
    frame.size.height -= HEAD;
    WKWebViewConfiguration *c = [[WKWebViewConfiguration alloc] init];
    host->other = web_view(host, frame, c);
    [c release];
    [host->page addSubview:host->other];
    [host->other loadRequest:[NSURLRequest requestWithURL:[NSURL URLWithString:text(address)]]];
    [host->window makeFirstResponder:host->other];
}

static void shut_other(FirstdayLoginHost *host) {
    WKWebView *w = host->other;
    host->other = 0;
    if (!w) return;
    [w setNavigationDelegate:0];
    [w stopLoading];
    [w removeFromSuperview];
    [w release];
    evaluate(host, "firstday.take({\"kind\":\"shut\"})");
}

@implementation FirstdayLoginHost
- (void)userContentController:(id)controller didReceiveScriptMessage:(WKScriptMessage *)message {
    NSString *body = [message body];
    if (![[message frameInfo] isMainFrame] || ![body isKindOfClass:[NSString class]]) return;
    const char *said = [body UTF8String];
    switch (said ? visit_page(visit, said) : CORE_MALFORMED) {
    case CORE_SHOW: show_other(self); break;
    case CORE_SHUT: shut_other(self); break;
    case CORE_MALFORMED: evaluate(self, "firstday.take({\"kind\":\"malformed\"})"); break;
    default: break;
    }
}
- (void)webView:(WKWebView *)view decidePolicyForNavigationAction:(WKNavigationAction *)action decisionHandler:(void (^)(NSInteger))decide {
    const char *address = [[[[action request] URL] absoluteString] UTF8String];
    int may = 0;
    if (view == page) may = address && !strcmp(address, [[file absoluteString] UTF8String]); /* a bundle's is relative to it */
    else if (view == other && address && [action targetFrame]) may = visit_may_show(visit, address); /* no other windows */
    decide(may ? ALLOW : CANCEL);
}
- (void)webViewWebContentProcessDidTerminate:(WKWebView *)view {
    if (view == other) shut_other(self);
    else if (view == page && visit_page_gone(visit)) load(self);
}
- (void)webView:(WKWebView *)view didFailProvisionalNavigation:(id)navigation withError:(id)error {
    if (view == other) shut_other(self);
}
@end

static void open_now(void *p) {
    struct visit *v = p;
    if (!visit_waits(v)) { /* it was closed before */
        visit_drop(v);
        return;
    }
    void *pool = objc_autoreleasePoolPush();
    FirstdayLoginHost *host = [[FirstdayLoginHost alloc] init];
    host->visit = v; /* which is kept until the window is closed */
    host->frame = [[NSScreen mainScreen] frame];
    host->file = [[[NSBundle bundleForClass:[FirstdayLoginHost class]] URLForResource:text("index") withExtension:text("html")] retain];
    host->configuration = [[WKWebViewConfiguration alloc] init];
    [[host->configuration userContentController] addScriptMessageHandler:host name:text("firstday")];
    host->page = web_view(host, host->frame, host->configuration);
    host->window = [[FirstdayLoginWindow alloc] initWithContentRect:host->frame styleMask:0 backing:BUFFERED defer:0];
    [host->window setReleasedWhenClosed:0];
    [host->window setCanBecomeVisibleWithoutLogin:1];
    [host->window setLevel:LEVEL];
    [host->window setDelegate:host];
    [host->window setContentView:host->page];
    v->host = (void *)host;
    load(host);
    [[NSApplication sharedApplication] activateIgnoringOtherApps:1];
    [host->window makeKeyAndOrderFront:0];
    [host->window orderFrontRegardless];
    [host->window makeFirstResponder:host->page];
    objc_autoreleasePoolPop(pool);
}

static void tell_now(void *p) {
    enum { ROOM = CORE_PAGE + 32 };
    struct visit *v = p;
    FirstdayLoginHost *host = (FirstdayLoginHost *)v->host;
    static const char before[] = "firstday.take(";
    char *script = calloc(1, ROOM);
    void *pool = objc_autoreleasePoolPush();
    while (host && script && visit_tell(v, script + sizeof before - 1, CORE_PAGE)) {
        size_t n = 0;
        for (; n < sizeof before - 1; n++) script[n] = before[n];
        while (script[n]) n++;
        script[n] = ')';
        script[n + 1] = 0;
        evaluate(host, script);
        memset_s(script, ROOM, 0, ROOM);
    }
    objc_autoreleasePoolPop(pool);
    free(script);
    visit_drop(v);
}

static void close_now(void *p) {
    struct visit *v = p;
    FirstdayLoginHost *host = (FirstdayLoginHost *)v->host;
    void *pool = objc_autoreleasePoolPush();
    v->host = 0;
    if (host) {
        shut_other(host);
        [[host->configuration userContentController] removeScriptMessageHandlerForName:text("firstday")];
        [host->page setNavigationDelegate:0];
        [host->page stopLoading];
        [host->window setDelegate:0];
        [host->window orderOut:0];
        [host->window close];
        [host->page release];
        [host->window release];
        [host->configuration release];
        [host->file release];
        [host release];
        visit_drop(v); /* the window's */
    }
    objc_autoreleasePoolPop(pool);
    visit_drop(v);
}

static void on_main_thread(struct visit *v, void (*f)(void *)) { dispatch_async_f(&_dispatch_main_q, visit_keep(v), f); }

void window_open(struct visit *v) { on_main_thread(v, open_now); }
void window_tell(struct visit *v) { on_main_thread(v, tell_now); }
void window_close(struct visit *v) { on_main_thread(v, close_now); }

int window_may_unlock(void) {
    unsigned char valid = 0;
    void *pool = objc_autoreleasePoolPush();
    int off = CFPreferencesGetAppBooleanValue(text("DisableFDEAutoLogin"), text("com.apple.loginwindow"), &valid);
    objc_autoreleasePoolPop(pool);
    return !(valid && off);
}
