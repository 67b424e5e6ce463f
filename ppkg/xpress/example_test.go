package xpress_test

import (
	"bytes"
	"fmt"

	"firstday.dev/ppkg/xpress"
)

func Example() {
	plain := bytes.Repeat([]byte("the first day "), 2000)
	packed, ok := xpress.NewCompressor(xpress.Default).Compress(nil, plain)
	if !ok {
		packed = plain // a WIM stores what does not shrink as it is
	}
	back := make([]byte, len(plain)) // the size is told elsewhere
	var d xpress.Decompressor
	if err := d.Decompress(back, packed); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(plain), len(packed), bytes.Equal(back, plain))
	// Output: 28000 269 true
}
