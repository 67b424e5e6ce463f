package directory

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"firstday.dev/api"
)

// originsTime is how long a sign-in waits for what providers say of themselves.
// It is asked for once an hour; people wait for the pages.
const originsTime = 2 * time.Second

// origins lists those of the pages by which people sign in: the directory's, those
// to which it leads for its providers, and the further ones of the settings. A
// provider that does not answer is taken to have its pages where it has its name.
func (d *Directory) origins(ctx context.Context, settings *api.PlatformSettings) ([]string, error) {
	providers, err := d.Providers(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, originsTime)
	defer cancel()
	pages := make([]string, len(providers))
	var group sync.WaitGroup
	for i, p := range providers {
		pages[i] = p.Issuer
		group.Go(func() {
			if rp, err := d.relyingParty(ctx, p.ID); err == nil {
				pages[i] = rp.metadata.Authorization
			}
		})
	}
	group.Wait()
	var list []string
	add := func(origin string) {
		if len(list) < api.MaxOrigins && !slices.Contains(list, origin) { // the last ones sign in with a telephone
			list = append(list, origin)
		}
	}
	for _, address := range append([]string{d.PagesURL}, pages...) {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		if origin, err := api.OriginOf(u); err == nil { // else it is a provider to try things out with
			add(origin)
		}
	}
	for _, origin := range settings.Origins {
		add(origin)
	}
	return list, nil
}
