// Package cocoa has the words of Objective-C that all who call Apple's frameworks
// need. Objects of Core Foundation are Objective-C's, too, so those of
// Security.framework are handled alike.
//
// No Mac has run it yet.
package cocoa

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

const utf8Encoding = 4 // NSUTF8StringEncoding, NSString.h

// Load loads Foundation, and frameworks beside it.
func Load(frameworks ...string) error {
	for _, name := range append([]string{"Foundation"}, frameworks...) {
		path := "/System/Library/Frameworks/" + name + ".framework/" + name
		if _, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return fmt.Errorf("loading %s: %w", path, err)
		}
	}
	return nil
}

// Bind takes pointers to functions, and binds those of C of these names in the
// frameworks that are loaded.
func Bind(functions map[string]any) error {
	for name, f := range functions {
		at, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
		if err != nil {
			return fmt.Errorf("finding %s: %w", name, err)
		}
		purego.RegisterFunc(f, at)
	}
	return nil
}

// Constants reads variables of these names that hold an object.
func Constants(objects map[string]*objc.ID) error {
	for name, object := range objects {
		at, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
		if err != nil {
			return fmt.Errorf("finding %s: %w", name, err)
		}
		*object = **(**objc.ID)(unsafe.Pointer(&at))
	}
	return nil
}

// InPool calls do. What Objective-C makes meanwhile lives until do ends, on this
// thread.
func InPool(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := Class("NSAutoreleasePool").Send(Sel("new"))
	defer pool.Send(Sel("drain"))
	return do()
}

// Class gives the class of a name; 0: there is none.
func Class(name string) objc.ID { return objc.ID(objc.GetClass(name)) }

// Sel gives the selector of a message.
func Sel(message string) objc.SEL { return objc.RegisterName(message) }

// Text gives an NSString of UTF-8, which lives as long as the pool.
func Text(s string) objc.ID { return TextOf([]byte(s)) }

// TextOf is Text for what is to be wiped.
func TextOf(b []byte) objc.ID {
	if len(b) == 0 {
		return Class("NSString").Send(Sel("string"))
	}
	s := Class("NSString").Send(Sel("alloc")).Send(Sel("initWithBytes:length:encoding:"), unsafe.Pointer(&b[0]), uint(len(b)), uint(utf8Encoding))
	return s.Send(Sel("autorelease"))
}

// GoText gives an NSString's text; nil has none.
func GoText(s objc.ID) string {
	if s == 0 {
		return ""
	}
	return objc.Send[string](s, Sel("UTF8String"))
}

// Code gives the number of an NSError; nil's is 0.
func Code(problem objc.ID) int { return objc.Send[int](problem, Sel("code")) }
