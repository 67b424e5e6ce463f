/* The window: all of the screen, a page of the bundle in a web view, and on top of
 * it, when it is wanted, another web view for the organisation's sign-in pages, or
 * for what the network wants to be asked. Only the first can talk to us. Declarations are our own; each class stands
 * in stubs. All that is not static is called from any thread. */
#include "cocoa.h"
#include "visit.h"

#include <string.h>

typedef double CGFloat;
typedef struct { CGFloat x, y; } CGPoint;
typedef struct { CGFloat width, height; } CGSize;
typedef struct { CGPoint origin; CGSize size; } CGRect;

@class NSURL, NSURLRequest, NSURLProtectionSpace, WKWebView, WKFrameInfo;

@interface NSURL : NSObject
+ (NSURL *)URLWithString:(NSString *)s;
- (NSString *)absoluteString;
- (NSURL *)URLByDeletingLastPathComponent;
@end
@interface NSURLRequest : NSObject
+ (NSURLRequest *)requestWithURL:(NSURL *)u;
- (NSURL *)URL;
@end
@interface NSURLResponse : NSObject
- (NSURL *)URL;
@end
@interface NSURLAuthenticationChallenge : NSObject
- (NSURLProtectionSpace *)protectionSpace;
@end
@interface NSURLProtectionSpace : NSObject
- (NSString *)authenticationMethod;
- (BOOL)isProxy;
- (NSString *)host;
- (NSInteger)port;
- (void *)serverTrust; /* of a SecTrustRef */
@end
@interface NSURLCredential : NSObject
+ (NSURLCredential *)credentialForTrust:(void *)trust;
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
- (BOOL)isFlipped;
- (void)removeFromSuperview;
@end
@interface NSEvent : NSObject
- (NSUInteger)modifierFlags;
- (NSString *)charactersIgnoringModifiers;
- (unsigned short)keyCode;
@end
@interface NSMenu : NSObject
- (void)removeAllItems;
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
- (void)setAllowsLinkPreview:(BOOL)b;
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
- (BOOL)shouldPerformDownload;
@end
@interface WKNavigationResponse : NSObject
- (NSURLResponse *)response;
- (BOOL)canShowMIMEType;
@end

extern NSString *const NSURLAuthenticationMethodServerTrust;
extern unsigned char CFPreferencesGetAppBooleanValue(const void *key, const void *application, unsigned char *valid);

enum {
    BUFFERED = 2,
    LEVEL = 1000, /* NSScreenSaverWindowLevel */
    HEAD = 72,    /* points of our page that stay above another page */
    CANCEL = 0, ALLOW = 1,
    USE = 0, DEFAULT = 1, BREAK_OFF = 2, REJECT = 3, /* NSURLSessionAuthChallengeDisposition */
    CANCELLED = -999, /* NSURLErrorCancelled: another page takes its place */
    MODIFIERS = 1 << 18 | 1 << 19 | 1 << 20, /* Control, Option, Command */
    ANSI_A = 0   /* the place of a key, of HIToolbox/Events.h */
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
    int portal;               /* the other one is for the network, else for the sign-in */
    char first[SURFACE_LINE]; /* the address that it began with, which is a secret */
}
@end

/* Tells the key with the letter A or, in layouts that have no Latin letters, the one
 * where it is on others. */
static int is_a(NSEvent *e) {
    const char *key = [[e charactersIgnoringModifiers] UTF8String];
    if (!key || !*key || (unsigned char)*key > '~') return [e keyCode] == ANSI_A;
    return (*key == 'a' || *key == 'A') && !key[1];
}

/* The window takes what is typed, and a key that no page can keep away. */
@interface FirstdayLoginWindow : NSWindow
@end
@implementation FirstdayLoginWindow
- (BOOL)canBecomeKeyWindow {
    return 1;
}
- (BOOL)performKeyEquivalent:(NSEvent *)e {
    if (([e modifierFlags] & MODIFIERS) == MODIFIERS && is_a(e)) {
        FirstdayLoginHost *host = [self delegate];
        if (host) visit_apple(host->visit);
        return 1;
    }
    return [super performKeyEquivalent:e];
}
@end

/* A web view without menus, which would look things up, open what they find, and keep
 * it, for whoever stands at the login window. */
@interface FirstdayLoginView : WKWebView
@end
@implementation FirstdayLoginView
- (void)willOpenMenu:(NSMenu *)menu withEvent:(NSEvent *)e {
    [menu removeAllItems];
}
@end

/* A web view that keeps nothing. */
static WKWebView *web_view(FirstdayLoginHost *host, CGRect frame, WKWebViewConfiguration *c) {
    [c setWebsiteDataStore:[WKWebsiteDataStore nonPersistentDataStore]];
    WKWebView *w = [[FirstdayLoginView alloc] initWithFrame:frame configuration:c];
    [w setAllowsLinkPreview:0];
    [w setNavigationDelegate:host];
    return w;
}

static void load(FirstdayLoginHost *host) { [host->page loadFileURL:host->file allowingReadAccessToURL:[host->file URLByDeletingLastPathComponent]]; }

static void evaluate(FirstdayLoginHost *host, const char *script) { [host->page evaluateJavaScript:text(script) completionHandler:0]; }

/* Has the page take JSON. */
static void tell(FirstdayLoginHost *host, const char *json) {
    char script[CORE_REPLY + sizeof "firstday.take()"] = "firstday.take(";
    size_t n = strlen(script), length = strlen(json);
    memcpy(script + n, json, length);
    script[n + length] = ')';
    script[n + length + 1] = 0;
    evaluate(host, script);
}

static int close_other(FirstdayLoginHost *host) {
    WKWebView *w = host->other;
    host->other = 0;
    memset_s(host->first, sizeof host->first, 0, sizeof host->first);
    if (!w) return 0;
    [w setNavigationDelegate:0];
    [w stopLoading];
    [w removeFromSuperview];
    [w release];
    return 1;
}

static void shut_other(FirstdayLoginHost *host) {
    if (close_other(host)) tell(host, "{\"kind\":\"shut\"}");
}

/* Shows the first page of the sign-in, or what the network wants to be asked. */
static void show_other(FirstdayLoginHost *host, int portal) {
    char address[SURFACE_LINE];
    if ((host->other && host->portal == portal) || !visit_address(host->visit, portal, address)) return;
    close_other(host);
    CGRect frame = host->frame;
    frame.origin.x = 0;
    frame.origin.y = [host->page isFlipped] ? HEAD : 0; /* else AppKit counts from the bottom */
    frame.size.height -= HEAD;
    WKWebViewConfiguration *c = [[WKWebViewConfiguration alloc] init];
    host->portal = portal;
    memcpy(host->first, address, sizeof address);
    host->other = web_view(host, frame, c);
    [c release];
    [host->page addSubview:host->other];
    [host->other loadRequest:[NSURLRequest requestWithURL:[NSURL URLWithString:text(address)]]];
    [host->window makeFirstResponder:host->other];
    memset_s(address, sizeof address, 0, sizeof address);
}

/* Shuts what is not wanted any more: that a sign-in is over the service tells by
 * another screen. */
static void follow(FirstdayLoginHost *host) {
    if (host->other && !visit_wants(host->visit, host->portal, host->first)) shut_other(host);
}

static const char *address_of(NSURL *u) { return [[u absoluteString] UTF8String]; }

@implementation FirstdayLoginHost
- (void)userContentController:(id)controller didReceiveScriptMessage:(WKScriptMessage *)message {
    NSString *body = [message body];
    if (![[message frameInfo] isMainFrame] || ![body isKindOfClass:[NSString class]]) return;
    const char *said = [body UTF8String];
    char reply[CORE_REPLY] = "";
    switch (said ? visit_page(visit, said, reply) : CORE_MALFORMED) {
    case CORE_SHOW: show_other(self, 0); break;
    case CORE_PORTAL: show_other(self, 1); break;
    case CORE_SHUT: shut_other(self); break;
    case CORE_REPLIES: tell(self, reply); break;
    case CORE_MALFORMED: tell(self, "{\"kind\":\"malformed\"}"); break;
    default: break;
    }
}
- (void)webView:(WKWebView *)view decidePolicyForNavigationAction:(WKNavigationAction *)action decisionHandler:(void (^)(NSInteger))decide {
    const char *address = address_of([[action request] URL]);
    int may = 0;
    if (view == page) may = address && !strcmp(address, address_of(file)); /* a bundle's is relative to it */
    else if (view == other) may = address && ![action shouldPerformDownload] && visit_may_show(visit, portal, address);
    int here = may && [action targetFrame];
    decide(here ? ALLOW : CANCEL);
    if (may && !here && view == other) [other loadRequest:[action request]]; /* what would be a window of its own takes the place of the page */
}
- (void)webView:(WKWebView *)view decidePolicyForNavigationResponse:(WKNavigationResponse *)answer decisionHandler:(void (^)(NSInteger))decide {
    const char *address = address_of([[answer response] URL]);
    int may = view == page; /* whose file it is was looked at before */
    if (view == other) may = address && [answer canShowMIMEType] && visit_may_show(visit, portal, address); /* wherever it was led to */
    decide(may ? ALLOW : CANCEL);
}
- (void)webView:(WKWebView *)view didReceiveAuthenticationChallenge:(NSURLAuthenticationChallenge *)challenge
    completionHandler:(void (^)(NSInteger, NSURLCredential *))answer {
    unsigned char anchors[SURFACE_ANCHOR_BYTES];
    size_t size = 0;
    NSURLProtectionSpace *asks = [challenge protectionSpace];
    int certificate = [[asks authenticationMethod] isEqualToString:NSURLAuthenticationMethodServerTrust] && ![asks isProxy];
    const char *host = [[asks host] UTF8String];
    enum core_trust by = view == other && host ? visit_trusts(visit, portal, certificate, host, [asks port], anchors, &size) : CORE_NOTHING_SAID;
    if (by != CORE_ANCHORS) { /* as if nobody had taken the question, but for pages that are not shown any more */
        answer(by == CORE_SYSTEM ? DEFAULT : certificate ? BREAK_OFF : REJECT, 0);
        return;
    }
    void *trust = [asks serverTrust];
    if (trust_holds(trust, [asks host], anchors, size)) {
        answer(USE, [NSURLCredential credentialForTrust:trust]);
        return;
    }
    answer(BREAK_OFF, 0); /* which WebKit tells as if another page took its place */
    shut_other(self);
}
- (void)webViewWebContentProcessDidTerminate:(WKWebView *)view {
    if (view == other) shut_other(self);
    else if (view == page && visit_page_gone(visit)) load(self);
}
- (void)webView:(WKWebView *)view didFailProvisionalNavigation:(id)navigation withError:(NSError *)error {
    if (view == other && [error code] != CANCELLED) shut_other(self);
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
    while (host && script && visit_tell(v, script + sizeof before - 1)) {
        size_t n = 0;
        for (; n < sizeof before - 1; n++) script[n] = before[n];
        while (script[n]) n++;
        script[n] = ')';
        script[n + 1] = 0;
        evaluate(host, script);
        memset_s(script, ROOM, 0, ROOM);
    }
    if (host) follow(host);
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
