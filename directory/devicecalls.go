package directory

import "firstday.dev/api"

// deviceRoutes are the calls that devices make.
func (d *Directory) deviceRoutes() []route {
	return []route{
		ofAnybody(d, "POST "+api.PathEnroll, "Enrol a device that brings a connect key", func(c *caller, in *api.EnrollRequest) (*api.EnrollResponse, error) {
			return d.enrollStranger(c.Context(), in, remote(c.Request))
		}),
		ofDevice(d, api.PathCheckIn, "Report, and wait for news", func(c *caller, in *api.CheckInRequest) (*api.CheckInResponse, error) {
			return d.CheckIn(c.Context(), c.device, in)
		}),
		ofDevice(d, api.PathEscrow, "Bring the next break-glass password, or confirm it", func(c *caller, in *api.EscrowRequest) (*api.EscrowResponse, error) {
			return d.Escrow(c.Context(), c.device, in)
		}),
		ofDevice(d, api.PathSignIn, "Start a sign-in (RFC 8628, section 3.1)", func(c *caller, in *api.SignInRequest) (*api.SignInResponse, error) {
			if wait, ok := d.limits.starts.take(c.device.String()); !ok {
				return nil, tooMany(wait)
			}
			return d.StartSignIn(c.Context(), c.device, in, remote(c.Request))
		}),
		ofDevice(d, api.PathToken, "Ask who has signed in (RFC 8628, section 3.4)", func(c *caller, in *api.TokenRequest) (*api.TokenResponse, error) {
			if wait, ok := d.limits.polls.take(c.device.String()); !ok {
				return nil, &api.Error{Code: api.CodeSlowDown, RetryAfter: wait}
			}
			return d.Token(c.Context(), c.device, in)
		}),
		ofDevice(d, api.PathPassword, "Confirm the password of who has signed in", func(c *caller, in *api.PasswordRequest) (*none, error) {
			if wait, ok := d.limits.logins.take(c.device.String()); !ok {
				return nil, tooMany(wait)
			}
			return new(none), d.ConfirmPassword(c.Context(), c.device, in)
		}),
		ofDevice(d, api.PathComplete, "Bind the user: the account is made", func(c *caller, in *api.CompleteRequest) (*none, error) {
			return new(none), d.CompleteSignIn(c.Context(), c.device, in)
		}),
		ofDevice(d, api.PathCancel, "End a sign-in", func(c *caller, in *api.CancelRequest) (*none, error) {
			return new(none), d.CancelSignIn(c.Context(), c.device, in)
		}),
	}
}
