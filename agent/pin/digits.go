package pin

import (
	"slices"
	"strings"
)

// Digits is how long PINs are.
const Digits = 6

// Rules are what people read before they choose one.
const Rules = "Six digits that only you know: no row such as 123456, no pattern such as 112233 or 147258, no date, nothing of the device's serial number."

// WeakError is why a PIN is refused, in a sentence for who has chosen it.
type WeakError string

func (e WeakError) Error() string { return string(e) }

// Why PINs are refused.
const (
	ErrForm    WeakError = "A PIN has six digits, and nothing else."
	ErrRow     WeakError = "Digits that are all the same or in a row are what others try first."
	ErrPattern WeakError = "Digits that repeat or mirror themselves are what others try first."
	ErrPopular WeakError = "This PIN is one that many people choose."
	ErrSerial  WeakError = "This is part of the device's serial number, which anybody can read."
	ErrDate    WeakError = "This could be a date, and dates of your life are known to others."
)

// Weak tells why a PIN is refused, by a [WeakError]; nil: it is not. The list is
// short, and each entry has its reason: nobody has more than five tries, so that
// only what is tried first matters. That is what many people choose (rows,
// patterns, lines on the keys), what is known of them (dates), and what stands on
// the device. 912 936 of a million PINs are left; most of the others are dates.
func Weak(digits []byte, serial string) error {
	if len(digits) != Digits || slices.ContainsFunc(digits, func(c byte) bool { return c < '0' || c > '9' }) {
		return ErrForm
	}
	switch {
	case row(digits):
		return ErrRow
	case pattern(digits):
		return ErrPattern
	case popular(digits):
		return ErrPopular
	case inSerial(digits, serial):
		return ErrSerial
	case date(digits):
		return ErrDate
	}
	return nil
}

// row finds 000000, 123456 and 890123, up and down, and with steps of two.
func row(d []byte) bool {
	step := (d[1] - d[0] + 10) % 10
	for i := 2; i < len(d); i++ {
		if (d[i]-d[i-1]+10)%10 != step {
			return false
		}
	}
	return slices.Contains([]byte{0, 1, 9, 2, 8}, step)
}

// pattern finds 121212 and 123123, 112233 and 111222, 123321.
func pattern(d []byte) bool {
	half := d[0] == d[3] && d[1] == d[4] && d[2] == d[5]
	pair := d[0] == d[2] && d[2] == d[4] && d[1] == d[3] && d[3] == d[5]
	doubled := d[0] == d[1] && d[2] == d[3] && d[4] == d[5]
	tripled := d[0] == d[1] && d[1] == d[2] && d[3] == d[4] && d[4] == d[5]
	mirrored := d[0] == d[5] && d[1] == d[4] && d[2] == d[3]
	return half || pair || doubled || tripled || mirrored
}

// favourites are lines on the keys, numbers people learn, and words in digits.
const favourites = "147258 258369 369258 147852 258147 741852 852741 852963 963852 159753 159357 753159 357159 951753 " +
	"789456 456123 123789 789123 321654 147369 963741 741963 " +
	"314159 271828 141421 142857 "

func popular(d []byte) bool { return strings.Contains(favourites, string(d)+" ") }

// inSerial looks for the PIN among the digits of the serial number.
func inSerial(d []byte, serial string) bool {
	only := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, serial)
	return strings.Contains(only, string(d))
}

// date finds day, month and year in the three orders that people write them in.
func date(d []byte) bool {
	a, b, c := two(d[0:]), two(d[2:]), two(d[4:])
	return dayOf(a, b) || dayOf(b, a) || dayOf(c, b)
}

func two(d []byte) int { return int(d[0]-'0')*10 + int(d[1]-'0') }

func dayOf(day, month int) bool {
	const longest = "\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f" // of each month, in days
	return month >= 1 && month <= 12 && day >= 1 && day <= int(longest[month-1])
}
