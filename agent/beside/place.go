package beside

// rect is in points, from the lower left corner as AppKit has it, and laid out as
// CGRect is.
type rect struct{ x, y, width, height float64 }

// size is laid out as CGSize is.
type size struct{ width, height float64 }

// Sizes, in points.
const (
	edge       = 24  // between the corner and what stands there
	padding    = 16  // round a text and a button
	gap        = 12  // between them
	textWidth  = 340 // of a text, if there is room
	pageWidth  = 960
	pageHeight = 720
	around     = 48 // between the page's window and the edges of the screen
	pageHead   = 72 // of the page, which stays above the second web view
)

// What stands in the corner has a third of the screen's width at most, and a quarter of
// its height: Apple's fields, the pictures of people and the buttons below them stand
// in the middle.
const (
	cornerWidth  = 1. / 3
	cornerHeight = 1. / 4
)

// corner is where a text and a button stand in their window, and that on the screen.
type corner struct{ window, text, button rect }

// arrangeCorner puts a button in the corner at the lower right, and above it a text, of
// which measure tells the size in a width; nil: there is none.
func arrangeCorner(screen rect, button size, measure func(width float64) size) corner {
	room := size{max(0, screen.width*cornerWidth-edge-2*padding), max(0, screen.height*cornerHeight-edge-2*padding)}
	button = size{min(button.width, room.width), min(button.height, room.height)}
	c := corner{button: rect{padding, padding, button.width, button.height}}
	inner := button
	if above := room.height - button.height - gap; measure != nil && above > 0 {
		text := measure(min(textWidth, room.width))
		text = size{min(text.width, room.width), min(text.height, above)}
		c.text = rect{padding, padding + button.height + gap, text.width, text.height}
		inner = size{max(text.width, button.width), button.height + gap + text.height}
	}
	w, h := inner.width+2*padding, inner.height+2*padding
	c.window = rect{screen.x + screen.width - edge - w, screen.y + edge, w, h}
	return c
}

// arrangePage puts the page's window in the middle, as large as there is room.
func arrangePage(screen rect) rect {
	w, h := max(0, min(pageWidth, screen.width-2*around)), max(0, min(pageHeight, screen.height-2*around))
	return rect{screen.x + (screen.width-w)/2, screen.y + (screen.height-h)/2, w, h}
}

// arrangeOther puts the second web view on a page of that size, below its head.
// AppKit counts from the bottom, unless the view below is flipped.
func arrangeOther(page size, flipped bool) rect {
	r := rect{0, 0, page.width, max(0, page.height-pageHead)}
	if flipped {
		r.y = pageHead
	}
	return r
}
