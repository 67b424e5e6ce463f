package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// SearchDevices gives a page of the devices that a query finds.
func (c *Client) SearchDevices(ctx context.Context, q *DeviceQuery) (*DevicePage, error) {
	return ask[DevicePage](ctx, c, http.MethodGet, "/devices?"+q.Values().Encode(), nil)
}

// EachDevice gives all devices that a query finds, page by page.
func (c *Client) EachDevice(ctx context.Context, q DeviceQuery) iter.Seq2[*Device, error] {
	return EachDevice(q, func(q *DeviceQuery) (*DevicePage, error) { return c.SearchDevices(ctx, q) })
}

// DeviceEvents gives a page of a device's history, the last first: before an
// event's number, or from the last on (0).
func (c *Client) DeviceEvents(ctx context.Context, device uuid.UUID, before int64) ([]DeviceEvent, error) {
	return list[DeviceEvent](ctx, c, "/devices/"+device.String()+"/events?before="+strconv.FormatInt(before, 10))
}

// SetDeviceSSAP switches the sign-in off on a device, or on again.
func (c *Client) SetDeviceSSAP(ctx context.Context, device uuid.UUID, off bool) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/devices/"+device.String()+"/ssap", &SSAPRequest{off}, nil)
}

// BulkDevices does the same to many devices.
func (c *Client) BulkDevices(ctx context.Context, r *BulkRequest) ([]BulkResult, error) {
	out, err := ask[items[BulkResult]](ctx, c, http.MethodPost, "/devices/bulk", r)
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// Overview tells how the devices stand.
func (c *Client) Overview(ctx context.Context) (*Overview, error) {
	return ask[Overview](ctx, c, http.MethodGet, "/overview", nil)
}

// KeyRefusals gives a page of the attempts that a connect key was of no use to,
// the last first; uuid.Nil: of all keys, from the last on.
func (c *Client) KeyRefusals(ctx context.Context, key, before uuid.UUID) ([]KeyRefusal, error) {
	q := url.Values{}
	for name, id := range map[string]uuid.UUID{"key": key, "before": before} {
		if id != uuid.Nil {
			q.Set(name, id.String())
		}
	}
	return list[KeyRefusal](ctx, c, "/refusals?"+q.Encode())
}

// OrderProgress tells how an order's devices came over time.
func (c *Client) OrderProgress(ctx context.Context, id uuid.UUID, step ProgressStep) (*OrderProgress, error) {
	return ask[OrderProgress](ctx, c, http.MethodGet, "/orders/"+id.String()+"/progress?step="+url.QueryEscape(string(step)), nil)
}

// SettingsHistory gives a page of the changes of the settings, the last first:
// before a revision, or from the last on (0).
func (c *Client) SettingsHistory(ctx context.Context, before int64) ([]SettingsChange, error) {
	return list[SettingsChange](ctx, c, "/settings/history?before="+strconv.FormatInt(before, 10))
}

// RevertSettings goes back to the settings of an earlier revision.
func (c *Client) RevertSettings(ctx context.Context, r *RevertRequest) (*VersionedSettings, error) {
	return ask[VersionedSettings](ctx, c, http.MethodPost, "/settings/revert", r)
}

// CheckUsers tells what CreateUsers would come to.
func (c *Client) CheckUsers(ctx context.Context, users []NewUser) ([]UserCheck, error) {
	out, err := ask[items[UserCheck]](ctx, c, http.MethodPost, "/users/check", &NewUsers{users})
	if err != nil {
		return nil, err
	}
	return out.Items, nil
}

// ResetFactors takes a user's second factor away.
func (c *Client) ResetFactors(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+"/users/"+url.PathEscape(name)+"/reset-factors", struct{}{}, nil)
}

// UserDevices lists the devices that a user has or had.
func (c *Client) UserDevices(ctx context.Context, name string) ([]UserDevice, error) {
	return list[UserDevice](ctx, c, "/users/"+url.PathEscape(name)+"/devices")
}

// UserSignIns lists what became of a user's last sign-ins on devices, the last first.
func (c *Client) UserSignIns(ctx context.Context, name string) ([]UserSignIn, error) {
	return list[UserSignIn](ctx, c, "/users/"+url.PathEscape(name)+"/sign-ins")
}
