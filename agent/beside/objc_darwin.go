package beside

import (
	"bytes"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"

	"firstday.dev/internal/cocoa"
)

// Words of Objective-C. All that is asked for by these stands in used.go.

func class(name string) objc.ID { return objc.ID(objc.GetClass(name)) }
func sel(name string) objc.SEL  { return objc.RegisterName(name) }

// own is a message that one of our classes takes.
func own(name string, take any) objc.MethodDef {
	return objc.MethodDef{Cmd: objc.RegisterName(name), Fn: take}
}

// load loads what the windows are made of. It is there on every Mac.
func load() error { return cocoa.Load(frameworks...) }

// bind binds a function of C by its name.
func bind(f any, name string) error {
	symbol, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	purego.RegisterFunc(f, symbol)
	return nil
}

// variable gives the value of a variable of C by its name.
func variable(name string) (objc.ID, error) {
	at, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
	if err != nil {
		return 0, fmt.Errorf("finding %s: %w", name, err)
	}
	return **(**objc.ID)(unsafe.Pointer(&at)), nil
}

// pooled calls do on one thread, and lets go of what Objective-C made for it.
func pooled(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := class("NSAutoreleasePool").Send(sel("new"))
	defer pool.Send(sel("drain"))
	do()
}

func text(s string) objc.ID {
	if s == "" {
		return class("NSString").Send(sel("string"))
	}
	t := class("NSString").Send(sel("alloc")).Send(sel("initWithBytes:length:encoding:"), unsafe.Pointer(unsafe.StringData(s)), uint(len(s)), uint(utf8Encoding))
	return t.Send(sel("autorelease"))
}

// goText gives the text of an NSString, in bytes that can be wiped; of nil, none.
func goText(s objc.ID) []byte {
	if s == 0 {
		return nil
	}
	first := objc.Send[*byte](s, sel("UTF8String"))
	if first == nil {
		return nil
	}
	return bytes.Clone(unsafe.Slice(first, objc.Send[uint](s, sel("lengthOfBytesUsingEncoding:"), uint(utf8Encoding))))
}

func data(b []byte) objc.ID {
	var first unsafe.Pointer
	if len(b) > 0 {
		first = unsafe.Pointer(&b[0])
	}
	return class("NSData").Send(sel("dataWithBytes:length:"), first, uint(len(b)))
}

// decide calls a block of AppKit's or WebKit's that takes a number, and perhaps an
// object after it. The invoke pointer
// is behind the class and two numbers of 32 bits (Block_literal_1 of "Block
// Implementation Specification", clang.llvm.org); objc.Block's own Invoke knows only
// blocks that were made in Go.
func decide(block objc.ID, answer int, with objc.ID) {
	literal := *(*unsafe.Pointer)(unsafe.Pointer(&block))
	invoke := *(*uintptr)(unsafe.Add(literal, 16))
	purego.SyscallN(invoke, uintptr(block), uintptr(answer), uintptr(with))
}

// super is objc_super of objc/message.h.
type super struct{ receiver, class objc.ID }
