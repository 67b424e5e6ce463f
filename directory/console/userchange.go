package console

import (
	"github.com/google/uuid"

	"firstday.dev/api"
)

func (c *Console) askDisableUser(v *visit) (*page, error) {
	return c.askOf(v, sentence("Disable a user"), "disable", confirm{
		Question: sentence("Do you want to disable this user?"), Do: sentence("Disable"),
		Then: []sentence{sentence("They sign in on no further device."), sentence("Accounts that they have on devices stay: those end when you take the device from them."), sentence("You can enable them again.")},
	})
}

func (c *Console) setUserState(v *visit, state api.UserState) (shownUser, error) {
	return c.doTo(v, func(id uuid.UUID) error {
		return c.directory.SetUserState(v.Context(), v.actor(), id.String(), state)
	})
}

func (c *Console) disableUser(v *visit) (*page, error) {
	u, err := c.setUserState(v, api.UserDisabled)
	if err != nil {
		return nil, err
	}
	return v.done(u.path(), "%s is disabled.", u.Shown())
}

func (c *Console) enableUser(v *visit) (*page, error) {
	u, err := c.setUserState(v, api.UserActive)
	if err != nil {
		return nil, err
	}
	return v.done(u.path(), "%s may sign in again.", u.Shown())
}

func (c *Console) askResetUser(v *visit) (*page, error) {
	return c.askOf(v, sentence("Give a temporary password"), "password", confirm{
		Question: sentence("Do you want to give this user a temporary password?"), Do: sentence("Give a temporary password"),
		Then: []sentence{sentence("Their password and their second factor are of no use any more."), sentence("If they were locked after wrong passwords, they may try again at once."), sentence("You see the new password once, to hand it over. They choose their own at the next sign-in.")},
	})
}

func (c *Console) resetUser(v *visit) (*page, error) {
	var given *api.CreatedUser
	_, err := c.doTo(v, func(id uuid.UUID) (err error) {
		given, err = c.directory.ResetUser(v.Context(), v.actor(), id.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return givenPassword(given), nil
}

func (c *Console) askResetFactor(v *visit) (*page, error) {
	return c.askOf(v, sentence("Reset the second factor"), "factor", confirm{
		Question: sentence("Do you want to take the second factor from this user?"), Do: sentence("Reset the second factor"),
		Then: []sentence{sentence("Their authenticator app and recovery codes are of no use any more. Their password stays."), sentence("They set up another one at the next sign-in, where the settings want it.")},
	})
}

func (c *Console) resetFactor(v *visit) (*page, error) {
	u, err := c.doTo(v, func(id uuid.UUID) error {
		_, err := c.directory.ResetFactors(v.Context(), v.actor(), id.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return v.done(u.path(), "The second factor of %s is reset.", u.Shown())
}

// linkData is what is chosen from to link a user.
type linkData struct {
	Who       shownUser
	Providers []*api.Provider
}

func (c *Console) askLinkUser(v *visit) (*page, error) {
	u, err := c.findUser(v)
	if err != nil {
		return nil, err
	}
	providers, err := c.directory.Providers(v.Context())
	if err != nil {
		return nil, err
	}
	return &page{Title: "Link to an identity provider", Up: link{u.path(), "User"}, Template: "userlink", Data: linkData{u, providers}}, nil
}

func (c *Console) linkUser(v *visit) (*page, error) {
	form, err := c.askLinkUser(v)
	if err != nil {
		return nil, err
	}
	u, err := c.doTo(v, func(id uuid.UUID) error {
		_, err := c.directory.LinkUser(v.Context(), v.actor(), id.String(), &api.UserLink{Provider: v.form("provider"), Subject: v.form("subject")})
		return err
	})
	if err != nil {
		return v.again(form, err)
	}
	return v.done(u.path(), "%s signs in with the identity provider from now on.", u.Shown())
}

func (c *Console) askUnlinkUser(v *visit) (*page, error) {
	return c.askOf(v, sentence("Unlink from the identity provider"), "unlink", confirm{
		Question: sentence("Do you want to unlink this user from their identity provider?"), Do: sentence("Unlink, and give a temporary password"),
		Then: []sentence{sentence("They sign in with a password of the directory again."), sentence("You see the new password once, to hand it over. They choose their own at the next sign-in.")},
	})
}

func (c *Console) unlinkUser(v *visit) (*page, error) {
	var given *api.CreatedUser
	_, err := c.doTo(v, func(id uuid.UUID) (err error) {
		given, err = c.directory.UnlinkUser(v.Context(), v.actor(), id.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return givenPassword(given), nil
}
