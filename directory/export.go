package directory

import (
	"context"
	"io"
	"iter"

	"firstday.dev/api"
)

// EachDevice gives all devices that a query finds, by its order, page by page:
// reading a long list holds up nobody.
func (d *Directory) EachDevice(ctx context.Context, q api.DeviceQuery) iter.Seq2[*api.Device, error] {
	return api.EachDevice(q, func(q *api.DeviceQuery) (*api.DevicePage, error) { return d.SearchDevices(ctx, *q) })
}

// ExportDevices writes the devices that a query finds as CSV, as they come.
func (d *Directory) ExportDevices(ctx context.Context, q api.DeviceQuery, w io.Writer) error {
	return api.WriteDevicesCSV(w, d.EachDevice(ctx, q))
}
