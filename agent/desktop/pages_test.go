package desktop

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

func (s *scene) pages() Pages {
	return Pages{
		Report: func(ctx context.Context, problem string) { s.Report(ctx, problem) },
		Ready:  func() error { return s.unready },
		Open: func(ctx context.Context) (Window, error) {
			if s.pagesHang {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			w := &pretend{s: s, opened: time.Now(), gone: make(chan struct{}), pages: true}
			s.windows = append(s.windows, w)
			if s.pagesFail != nil {
				w.exit()
				return nil, s.pagesFail
			}
			return w, nil
		},
		Serve: func(ctx context.Context, conn io.ReadWriteCloser, shown func()) {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			if !s.silent {
				shown()
				shown() // it may say so as often as it likes
			}
			_, _ = io.Copy(io.Discard, conn)
		},
	}
}

// web is play, for an organisation that has chosen the pages.
func web(t *testing.T, test func(*scene)) {
	t.Helper()
	play(t, func(s *scene) {
		s.choice = api.WindowWeb
		test(s)
	})
}

// last says what the window that was opened last is for.
func (s *scene) last(pages bool) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.windows[len(s.windows)-1]; w.pages != pages {
		s.t.Errorf("the last window is for pages: %v", w.pages)
	}
}

func TestChoiceOfWindows(t *testing.T) {
	for _, c := range []struct {
		choice      api.SignInWindow
		open, pages bool
	}{{"", true, false}, {api.WindowQR, true, false}, {api.WindowWeb, true, true}, {api.WindowOff, false, false}, {"later", true, false}} {
		play(t, func(s *scene) {
			s.choice = c.choice
			s.tile()
			if s.Screen().Here != c.pages {
				t.Errorf("%q: the sign-in is for pages here: %v", c.choice, !c.pages)
			}
			if !c.open {
				s.show(signin.Waiting)
				time.Sleep(time.Minute)
				s.expect(0, 0)
				return
			}
			s.expect(1, 1)
			s.last(c.pages)
		})
	}
}

func TestPagesAreShown(t *testing.T) {
	web(t, func(s *scene) {
		s.tile()
		s.show(signin.Waiting)
		time.Sleep(time.Hour)
		s.show(signin.Number)
		s.expect(1, 1)
		s.last(true)
		s.show(signin.Password)
		s.expect(0, 1)
		s.show(signin.Failed) // for which a window is there that needs no browser
		s.expect(1, 2)
		s.last(false)
		s.expectReports()
	})
}

// Whatever becomes of the pages, the code is there within ten seconds of the
// click, by the keeper's own limits; and the next one who clicks does not wait.
func TestPagesThatFailAreACode(t *testing.T) {
	broken := errors.New("no such account")
	for name, c := range map[string]struct {
		prepare func(*scene)
		then    func(*scene)
		windows int // with those of pages
		report  string
	}{
		"nothing is shown":           {func(s *scene) { s.silent = true }, nil, 2, errLate.Error()},
		"nothing is shown, and hung": {func(s *scene) { s.silent, s.deaf = true, true }, nil, 2, errLate.Error()},
		"it takes for ever to open":  {func(s *scene) { s.pagesHang = true }, nil, 1, errLate.Error()},
		"it cannot be opened":        {func(s *scene) { s.pagesFail = broken }, nil, 2, broken.Error()},
		"it dies at once":            {func(s *scene) { s.silent = true }, func(s *scene) { s.window(0).exit() }, 2, errGone.Error()},
		"it hangs up": {func(s *scene) {
			s.Pages.Serve = func(context.Context, io.ReadWriteCloser, func()) {}
		}, nil, 2, errSilent.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			web(t, func(s *scene) {
				c.prepare(s)
				clicked := time.Now()
				s.tile()
				if c.then != nil {
					c.then(s)
				}
				time.Sleep(10*time.Second - time.Since(clicked))
				s.expect(1, c.windows)
				s.last(false)
				if s.Screen().Here {
					t.Error("the sign-in still waits for a page")
				}
				if opened := s.window(c.windows - 1).opened.Sub(clicked); opened > pagesTime+pagesPatience {
					t.Errorf("the code is there after %v", opened)
				}
				s.expectReports(c.report)
				s.deaf = false
				s.show(signin.Waiting, signin.Ready)
				s.tile() // the next one
				s.expect(1, c.windows+1)
				s.last(false)
				s.show(signin.Ready)
				time.Sleep(pagesRest)
				s.silent, s.pagesHang, s.pagesFail, s.Pages.Serve = false, false, nil, s.pages().Serve
				s.tile() // and one much later
				s.last(true)
				s.expectReports(c.report, "")
			})
		})
	}
}

// Once they are shown, they may take as long as people do; what dies then is lost,
// too.
func TestPagesThatDieLate(t *testing.T) {
	web(t, func(s *scene) {
		s.tile()
		s.show(signin.Waiting)
		time.Sleep(5 * time.Minute)
		s.window(0).exit()
		s.expect(1, 2)
		s.last(false)
		s.expectReports(errGone.Error())
	})
}

// A window that goes because the sign-in has left it is not lost, even if that is
// heard of later than its end.
func TestPagesThatGoAsTheyShould(t *testing.T) {
	web(t, func(s *scene) {
		s.tile()
		s.change(signin.Password, false)
		s.window(0).exit()
		s.expect(0, 1)
		s.show(signin.Ready)
		s.tile()
		s.last(true)
		s.expectReports()
	})
}

// Who tries again, long after the first click, has pages again, though the screen is
// heard of before it is told who started.
func TestPagesAreTriedAgain(t *testing.T) {
	web(t, func(s *scene) {
		s.tile()
		s.show(signin.Waiting)
		s.show(signin.Failed)
		s.expect(1, 2)
		time.Sleep(time.Minute)
		s.change(signin.Starting, s.Here(TileSurface))
		s.expect(1, 3)
		s.Started(TileSurface)
		s.expect(1, 3)
		s.last(true)
		s.expectReports()
	})
}

// Who would rather use their phone gets the code, and the next one the pages.
func TestPagesLeftForAPhone(t *testing.T) {
	web(t, func(s *scene) {
		s.tile()
		s.show(signin.Waiting)
		if err := s.Elsewhere(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.expect(1, 2)
		s.last(false)
		s.show(signin.Ready)
		s.tile()
		s.last(true)
	})
}

// Where somebody is signed in there is no window, and a sign-in needs none.
func TestPagesOnlyWhereNobodyIsSignedIn(t *testing.T) {
	take := func(s *scene) {
		s.mu.Lock()
		s.taken = true
		s.mu.Unlock()
	}
	web(t, func(s *scene) {
		take(s)
		if s.tile(); s.Screen().Here {
			t.Error("it is for pages here")
		}
		s.expect(0, 0)
	})
	web(t, func(s *scene) {
		s.tile()
		s.show(signin.Waiting)
		take(s)
		time.Sleep(lookPause)
		synctest.Wait()
		if s.Screen().Here {
			t.Error("it still waits for a page")
		}
		s.expect(0, 1)
	})
}

func TestPagesAreForTheTileOnly(t *testing.T) {
	web(t, func(s *scene) {
		for _, surface := range []string{"terminal", "window", "pages", "login", ""} {
			if s.Here(surface) {
				t.Errorf("pages for %q", surface)
			}
		}
	})
}

// A device that is known to show none does not try.
func TestPagesThatAreNotReady(t *testing.T) {
	web(t, func(s *scene) {
		s.unready = errors.New("there is no browser")
		s.tile()
		s.expect(1, 1)
		s.last(false)
		s.expectReports(s.unready.Error())
		s.show(signin.Ready)
		s.choice = api.WindowQR // and nothing is wrong any more
		s.tile()
		s.expectReports(s.unready.Error(), "")
	})
}
