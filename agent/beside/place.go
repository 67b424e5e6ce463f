package beside

// rect is in points, from the lower left corner of the screen as AppKit has it. It is
// laid out as CGRect is.
type rect struct{ x, y, width, height float64 }

// Sizes, in points.
const (
	edge         = 24  // between the corner and what stands there
	padding      = 16  // round a text and a button
	gap          = 12  // between them
	leastWidth   = 200 // of what stands in the corner, on a screen that has it
	textWidth    = 340 // of a text, if there is room
	pageWidth    = 960
	pageHeight   = 720
	around       = 48 // between the page's window and the edges of the screen
	pageHead     = 72 // points of the page that stay above the second web view
	cornerShare  = 3  // the corner has a third of the screen's width,
	cornerHeight = 4  // and a quarter of its height
)

// cornerRoom is how wide what stands in the corner may be, padding included. Apple's
// fields, the pictures of people and the buttons below stand in the middle.
func cornerRoom(screen rect) float64 { return max(screen.width/cornerShare-edge, 0) }

// inCorner is where something of that size stands: in the corner at the lower right,
// and never in the screen's middle.
func inCorner(screen rect, width, height float64) rect {
	w := min(max(width, leastWidth), cornerRoom(screen))
	h := min(height, screen.height/cornerHeight-edge)
	return rect{screen.x + screen.width - edge - w, screen.y + edge, w, h}
}

// pageFrame is where the page's window stands: in the middle, and as large as there
// is room.
func pageFrame(screen rect) rect {
	w, h := min(pageWidth, screen.width-2*around), min(pageHeight, screen.height-2*around)
	return rect{screen.x + (screen.width-w)/2, screen.y + (screen.height-h)/2, w, h}
}

// otherFrame is where the second web view stands on a page of that size.
func otherFrame(width, height float64) rect { return rect{0, 0, width, max(height-pageHead, 0)} }
