package authdb

import "slices"

// Enable gives the definition with our window in the place of Apple's and the
// guard directly after it. Everything else stays where it is. A list that has
// them is given back as it is. The error is a [*ForeignError] or a
// [*DamagedError].
func (d *Definition) Enable() (*Definition, error) {
	switch v := d.Judge(); v.State {
	case Ours:
		return d, nil
	case Foreign, Damaged:
		return nil, v.refusal()
	}
	i := slices.IndexFunc(d.items, isAppleUI)
	window := d.items[i]
	return d.with(slices.Concat(d.items[:i], []item{window.renamed(UI), window.beside(Guard)}, d.items[i+1:])), nil
}

// Disable gives the definition with nothing of ours, and Apple's window where
// ours was. It asks for no shape: whatever else is wrong with the list stays
// wrong, but our plug-in is no longer in it. A list that does not name it is
// given back as it is.
func (d *Definition) Disable() *Definition {
	v := d.Judge()
	switch {
	case !v.NeedsBundle:
		return d
	case v.State == Foreign: // who replaced the window has brought one
		return d.with(slices.DeleteFunc(slices.Clone(d.items), item.isOurs))
	}
	items, _ := restored(d.items)
	return d.with(items)
}

// Repair gives a definition in which somebody can log in: what is whole stays, of
// what is half Apple's login window is made. It adds nothing of ours: whoever
// wants it back calls Enable, and vouches for the bundle anew. The error is a
// [*ForeignError] or, where that is not enough, a [*DamagedError].
func (d *Definition) Repair() (*Definition, error) {
	v := d.Judge()
	switch v.State {
	case Apple, Ours:
		return d, nil
	case Foreign:
		return nil, v.refusal()
	}
	if items, ok := restored(d.items); ok {
		if r := d.with(items); r.Judge().State == Apple {
			return r, nil
		}
	}
	return nil, v.refusal()
}

func isAppleUI(i item) bool { return i.mechanism == AppleUI }

func (i item) isOurs() bool { return isOurs(i.mechanism) }

// restored gives the items without ours, and with one of Apple's windows. It is
// not ok if there is no place for it.
func restored(items []item) (list []item, ok bool) {
	place := windowPlace(items)
	for i, it := range items {
		switch mine := isAppleUI(it) || it.isOurs(); {
		case i == place && isAppleUI(it):
			list = append(list, it)
		case i == place && mine:
			list = append(list, it.renamed(AppleUI))
		case i == place:
			list = append(list, it.beside(AppleUI), it)
		case !mine:
			list = append(list, it)
		}
	}
	return list, place >= 0
}

// windowPlace is where Apple's window belongs: where it is, where ours is, or
// before what follows it in all of Apple's lists. Too late is better than
// nowhere.
func windowPlace(items []item) int {
	is := func(name string) func(item) bool { return func(i item) bool { return i.mechanism == name } }
	early := items
	if i := slices.IndexFunc(items, is(authenticate)); i >= 0 {
		early = items[:i]
	}
	for _, f := range []func(item) bool{isAppleUI, is(UI), item.isOurs, is(loginBegin)} {
		if i := slices.IndexFunc(early, f); i >= 0 {
			return i
		}
	}
	return slices.IndexFunc(items, func(i item) bool { return isAppleUI(i) || i.isOurs() })
}
