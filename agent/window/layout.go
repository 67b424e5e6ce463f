package window

import "fmt"

// rect is a rectangle in pixels, within the window.
type rect struct{ x, y, w, h int }

func (r rect) right() int  { return r.x + r.w }
func (r rect) bottom() int { return r.y + r.h }

// font is how text is set: the height of its letters with their accents, in
// pixels, and its weight.
type font struct {
	height int
	bold   bool
}

// measure tells how large a text is when it is broken into lines of that width.
type measure func(f font, text string, width int) (w, h int)

// role is what a box holds, and how it is drawn.
type role int

const (
	roleTitle role = iota
	roleText
	roleLabel
	roleValue
	roleOnline // a value with a mark before it
	roleOffline
	roleDetail
	rolePicture
	rolePage // where Tab leads into the page
	roleField
	rolePrimary // buttons
	roleSecondary
)

// box is a control: what it says, and where.
type box struct {
	id   string
	role role
	text string
	rect rect
	font font
}

// layout is a window.
type layout struct {
	w, h   int
	scale  float64
	stripe rect // of colour, along the upper edge
	foot   rect // the band with the buttons
	module int  // of the picture, in pixels
	// browser is where the page is, in the window that has one.
	browser rect
	boxes   []box
}

// Sizes, in pixels of a screen of 96 to the inch. Everything grows with the
// screen's scale, and shrinks where that is too much for the screen.
const (
	wide, slim  = 860, 640 // the window, with and without a picture
	margin      = 40       // within the window
	around      = 16       // at least, between the window and the edge of the screen
	gap         = 20       // between one fact and the next
	columnGap   = 44
	stripeSize  = 6
	pictureSize = 296 // with its light edge
	quiet       = 4   // modules of that edge
	markSize    = 10  // before the state of the network
	markGap     = 9

	titleFont, textFont, labelFont, valueFont, codeFont, fieldFont = 34, 21, 17, 23, 60, 44

	fieldWidth, fieldHeight    = 240, 68
	buttonHeight, buttonAtMost = 44, 300
	buttonAtLeast, buttonGap   = 132, 12
)

// The least scale that can be read, and the step in which a window shrinks.
const (
	leastScale = 0.5
	shrink     = 0.95
)

// arrange lays the page out for a screen of that size, whose scale is in pixels
// to the inch. What is not needed to sign in goes first where there is no room.
func arrange(p *page, screenW, screenH, dpi int, m measure) *layout {
	fits := func(l *layout) bool { return l.w+2*around <= screenW && l.h+2*around <= screenH }
	less := *p
	for {
		for scale := float64(dpi) / 96; scale >= leastScale; scale *= shrink {
			if l := arrangeAt(&less, scale, m); fits(l) {
				return l
			}
		}
		if !less.drop() {
			return arrangeAt(&less, leastScale, m)
		}
	}
}

// drop takes away what is needed least. It tells whether there was anything.
func (p *page) drop() bool {
	switch {
	case p.text != "":
		p.text = ""
	case p.help != "":
		p.help = ""
	case p.fact(factDevice) != nil && len(p.facts) > 1:
		p.facts = p.facts[: len(p.facts)-1 : len(p.facts)-1]
	default:
		return false
	}
	return true
}

// arrangement is a layout that is being made, from left to right.
type arrangement struct {
	*layout
	measure measure
}

func arrangeAt(p *page, scale float64, m measure) *layout {
	a := &arrangement{&layout{scale: scale}, m}
	a.w = a.px(slim)
	if p.picture != "" {
		a.w = a.px(wide)
	}
	a.stripe = rect{0, 0, a.w, a.px(stripeSize)}
	left, width := a.px(margin), a.w-2*a.px(margin)
	y := a.px(stripeSize + margin - 8)
	y = a.put("title", roleTitle, p.title, left, y, width) + a.px(8)
	y = a.put("message", roleText, p.message, left, y, width) + a.px(28)
	if p.picture != "" {
		y = a.besidePicture(p, left, y, width)
	} else {
		y = a.field(p, left, y)
		y = a.facts(p.facts, left, y, width)
	}
	a.footer(p, left, y+a.px(margin-8), width)
	if p.rtl {
		a.mirror()
	}
	return a.layout
}

// px gives pixels of this screen.
func (l *layout) px(n int) int { return int(float64(n)*l.scale + 0.5) }

// put adds a text and gives where it ends.
func (a *arrangement) put(id string, r role, text string, x, y, width int) int {
	if text == "" {
		return y
	}
	f := a.fontOf(r)
	inset := 0
	if r == roleOnline || r == roleOffline {
		inset = a.px(markSize + markGap)
	}
	_, h := a.measure(f, text, width-inset)
	a.boxes = append(a.boxes, box{id, r, text, rect{x, y, width, h}, f})
	return y + h
}

func (l *layout) fontOf(r role) font {
	switch r {
	case roleTitle:
		return font{l.px(titleFont), true}
	case roleLabel, roleDetail:
		return font{l.px(labelFont), false}
	case roleValue, roleOnline, roleOffline:
		return font{l.px(valueFont), false}
	case roleField:
		return font{l.px(fieldFont), false}
	case rolePrimary, roleSecondary:
		return font{l.px(textFont), true}
	}
	return font{l.px(textFont), false}
}

// besidePicture puts the picture and, beside it, the facts.
func (a *arrangement) besidePicture(p *page, x, y, width int) int {
	modules := len(p.modules) + 2*quiet
	a.module = max(1, (a.px(pictureSize)+modules/2)/modules) // whole pixels: all modules are of one size
	side := a.module * modules
	facts := x + side + a.px(columnGap)
	i := len(a.boxes)
	a.boxes = append(a.boxes, box{id: "picture", role: rolePicture, text: p.picture})
	bottom := a.facts(p.facts, facts, y, x+width-facts)
	a.boxes[i].rect = rect{x, y, side, side}
	return max(bottom, y+side)
}

// field puts the field for the number, with its label.
func (a *arrangement) field(p *page, x, y int) int {
	if p.field == "" {
		return y
	}
	y = a.put("field.label", roleLabel, p.field, x, y, a.px(slim-2*margin)) + a.px(6)
	a.boxes = append(a.boxes, box{"field", roleField, "", rect{x, y, a.px(fieldWidth), a.px(fieldHeight)}, a.fontOf(roleField)})
	return y + a.px(fieldHeight) + a.px(gap+4)
}

// facts puts facts below each other, narrow ones in pairs.
func (a *arrangement) facts(facts []fact, x, y, width int) int {
	half := (width - a.px(gap)) * 2 / 5
	for i := 0; i < len(facts); i++ {
		if i > 0 {
			y += a.px(gap)
		}
		if facts[i].narrow && i+1 < len(facts) && facts[i+1].narrow {
			left := a.fact(&facts[i], x, y, half)
			right := a.fact(&facts[i+1], x+half+a.px(gap), y, width-half-a.px(gap))
			y = max(left, right)
			i++
			continue
		}
		y = a.fact(&facts[i], x, y, width)
	}
	return y
}

func (a *arrangement) fact(f *fact, x, y, width int) int {
	y = a.put(f.id+".label", roleLabel, f.label, x, y, width) + a.px(2)
	switch f.look {
	case lookOnline:
		y = a.put(f.id, roleOnline, f.value, x, y, width)
	case lookOffline:
		y = a.put(f.id, roleOffline, f.value, x, y, width)
	case lookCode:
		y = a.code(f, x, y, width)
	default:
		y = a.put(f.id, roleValue, f.value, x, y, width)
	}
	if f.detail != "" {
		y = a.put(f.id+".detail", roleDetail, f.detail, x, y+a.px(2), width)
	}
	return y
}

// code puts the code in letters as large as fit into a line.
func (a *arrangement) code(f *fact, x, y, width int) int {
	set, least := font{a.px(codeFont), true}, a.px(valueFont)
	w, _ := a.measure(set, f.value, 1<<14)
	if w > width {
		set.height = max(least, set.height*width/w)
	}
	_, h := a.measure(set, f.value, width)
	for set.height > least { // letters do not shrink evenly, and spaces break lines
		if _, line := a.measure(set, f.value, 1<<14); h <= line {
			break
		}
		set.height = max(least, set.height*15/16)
		_, h = a.measure(set, f.value, width)
	}
	a.boxes = append(a.boxes, box{f.id, roleValue, f.value, rect{x, y, width, h}, set})
	return y + h
}

// footer puts the band with the organisation's words and the buttons. The words
// stand beside the buttons where that leaves them room enough.
func (a *arrangement) footer(p *page, x, y, width int) {
	top, pad := y, a.px(24)
	sizes, total := a.buttonWidths(p.buttons, width)
	words := width - total - a.px(columnGap)
	beside := words >= width/2 || max(a.natural(p.text), a.natural(p.help)) <= words
	if !beside {
		words = width
	}
	y += pad
	end := a.put("text", roleDetail, p.text, x, y, words)
	if p.text != "" && p.help != "" {
		end += a.px(4)
	}
	end = a.put("help", roleDetail, p.help, x, end, words)
	if !beside && end > y {
		y, end = end+a.px(16), 0
	}
	h := a.px(buttonHeight)
	spare := 0
	if beside { // the shorter of the two stands in the middle
		spare = max(0, end-y-h) / 2
		a.shiftWords(max(0, h-(end-y)) / 2)
	}
	bx := x + width - total
	for i, b := range p.buttons {
		r := roleSecondary
		if b.primary {
			r = rolePrimary
		}
		a.boxes = append(a.boxes, box{"button." + string(b.name), r, b.label, rect{bx, y + spare, sizes[i], h}, a.fontOf(r)})
		bx += sizes[i] + a.px(buttonGap)
	}
	a.h = max(end, y+h) + pad
	a.foot = rect{0, top, a.w, a.h - top}
}

// natural is how wide the organisation's words are in one line.
func (a *arrangement) natural(text string) int {
	w, _ := a.measure(a.fontOf(roleDetail), text, 1<<14)
	return w
}

// shiftWords moves the organisation's words down.
func (a *arrangement) shiftWords(by int) {
	for i := range a.boxes {
		if id := a.boxes[i].id; id == "text" || id == "help" {
			a.boxes[i].rect.y += by
		}
	}
}

// buttonWidths gives how wide each is, and all with the gaps between them.
func (a *arrangement) buttonWidths(buttons []button, width int) (each []int, total int) {
	most := min(a.px(buttonAtMost), (width-(len(buttons)-1)*a.px(buttonGap))/len(buttons))
	for i, b := range buttons {
		w, _ := a.measure(a.fontOf(roleSecondary), b.label, 1<<14)
		each = append(each, min(max(w+2*a.px(24), a.px(buttonAtLeast)), most))
		if total += each[i]; i > 0 {
			total += a.px(buttonGap)
		}
	}
	return each, total
}

// mirror turns everything round, for who reads from right to left.
func (l *layout) mirror() {
	for i := range l.boxes {
		r := &l.boxes[i].rect
		r.x = l.w - r.right()
	}
}

// box gives the box of that id, nil if there is none.
func (l *layout) box(id string) *box {
	for i := range l.boxes {
		if l.boxes[i].id == id {
			return &l.boxes[i]
		}
	}
	return nil
}

func (r rect) String() string { return fmt.Sprintf("%d×%d at %d,%d", r.w, r.h, r.x, r.y) }
