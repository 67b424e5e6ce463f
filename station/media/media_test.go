package media

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two cards in one reader are in two sockets.
func TestSlotsOfAReaderAreToldApart(t *testing.T) {
	disks := []Disk{
		{Name: "PhysicalDrive0"}, {Name: "PhysicalDrive1"}, // built in
		{Name: "PhysicalDrive2", Port: "1400-4"}, {Name: "PhysicalDrive3", Port: "1400-4"},
		{Name: "PhysicalDrive4", Port: "1400-5"},
	}
	tellApart(disks)
	var got []string
	for _, d := range disks {
		got = append(got, d.Port)
	}
	if diff := cmp.Diff([]string{"", "", "1400-4:PhysicalDrive2", "1400-4:PhysicalDrive3", "1400-5"}, got); diff != "" {
		t.Error(diff)
	}
}
