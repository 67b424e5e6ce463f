package signin

import "firstday.dev/api"

// AnySession is for who belongs to none, and to each: the service itself, and the
// windows that it starts for the session in which a sign-in was begun.
const AnySession = "*"

// theirs tells whether a session is shown what the flow shows. While nobody is at
// it all are; then the one in which it was begun, alone: another person may sit at
// another session's login window. What a restart interrupted is nobody's, and all
// see what came of it.
func (f *flow) theirs(session string) bool {
	return !f.owned || f.atRest() || session == f.session || session == AnySession
}

// atRest tells states in which nobody is at it.
func (f *flow) atRest() bool {
	return f.state == Hidden || f.state == Ready || f.state == Unlock && !f.asked
}

// screenFor gives what a session is shown.
func (f *flow) screenFor(session string) *Screen {
	if f.theirs(session) {
		return f.screen()
	}
	return f.othersScreen()
}

// othersScreen is for sessions in which nobody has begun: they may begin, which
// ends what others are at, but for an account that is being made, or logged on.
func (f *flow) othersScreen() *Screen {
	rest := flow{state: Hidden, offer: f.offer, online: f.online}
	switch f.state {
	case Creating, Opening, Done:
	default:
		if f.offer.open {
			rest.state = Ready
		}
	}
	s := rest.screen()
	if s.State == Hidden && s.Why == "" {
		s.Why = api.CodeSlotTaken // as it will be, when that is done
	}
	return s
}

// claim notes whose the flow is from now on.
func (f *flow) claim(session string) {
	if session != AnySession {
		f.session, f.owned = session, true
	}
}

// view gives what a session is shown. The lock is the caller's.
func (m *Machine) view(session string) *Screen {
	if m.apart && session != m.owner && session != AnySession {
		return &m.others
	}
	return &m.shown
}

// part keeps what sessions are shown from now on, and tells whether any is shown
// something else. A screen that stays the same keeps its serial number, so that
// nothing that others do disturbs who is at it. The lock is the caller's.
func (m *Machine) part(screen, others *Screen, owner string, apart bool) (changed bool) {
	last := max(m.shown.Serial, m.others.Serial)
	number := func(s, before *Screen) {
		s.Serial = before.Serial
		if !equal(s, before) {
			last++
			s.Serial, changed = last, true
		}
	}
	number(screen, &m.shown)
	if !apart {
		others = screen
	} else {
		number(others, &m.others)
	}
	changed = changed || apart != m.apart || apart && owner != m.owner
	m.shown, m.others, m.owner, m.apart = *screen, *others, owner, apart
	return changed
}
