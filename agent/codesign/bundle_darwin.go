package codesign

import (
	"fmt"
	"regexp"

	"firstday.dev/internal/cocoa"
)

const checkAll = 1<<0 | 1<<3 | 1<<4 // kSecCSCheckAllArchitectures, …NestedCode, …StrictValidate

// Signed tells who has signed a bundle, all of it and for each processor: the team
// that has signed this program. Without one, as where no Developer ID is at hand,
// both must be signed ad hoc.
func Signed(path string) (by string, err error) {
	s, err := loadSecurity()
	if err != nil {
		return "", err
	}
	err = cocoa.InPool(func() error {
		by, err = s.signed(path)
		return err
	})
	return by, err
}

func (s *security) signed(path string) (string, error) {
	own, err := s.ownTeam()
	if err != nil {
		return "", fmt.Errorf("the agent's own signature: %w", err)
	}
	url := cocoa.Class("NSURL").Send(cocoa.Sel("fileURLWithPath:"), cocoa.Text(path))
	var code uintptr
	if err := refused(s.createStatic(url, 0, &code)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer s.release(code)
	team, err := s.info(code, s.teamKey)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	case team != own:
		return "", fmt.Errorf("it is signed by %s, the agent by %s", named(team), named(own))
	}
	return named(team), s.check(code, team)
}

// check has macOS look at all hashes, and, for a team, at the chain up to Apple: the
// name alone anybody can write there.
func (s *security) check(code uintptr, team string) error {
	var requirement uintptr
	if team != "" {
		if !teamPattern.MatchString(team) {
			return fmt.Errorf("a team of the name %.20q", team)
		}
		var err error
		if requirement, err = s.require(`anchor apple generic and certificate leaf[subject.OU] = "` + team + `"`); err != nil {
			return err
		}
		defer s.release(requirement)
	}
	return refused(s.checkStatic(code, checkAll, requirement))
}

var teamPattern = regexp.MustCompile(`^[A-Z0-9]{10}$`)

func (s *security) ownTeam() (string, error) {
	var self, static uintptr
	if err := refused(s.copySelf(0, &self)); err != nil {
		return "", err
	}
	defer s.release(self)
	if err := refused(s.copyStatic(self, 0, &static)); err != nil {
		return "", err
	}
	defer s.release(static)
	return s.info(static, s.teamKey)
}

func named(team string) string {
	if team == "" {
		return "nobody (ad hoc)"
	}
	return "team " + team
}
