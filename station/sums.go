package station

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"firstday.dev/templates/usb"
)

// The largest that are read of a stick, in bytes.
const (
	maxSums     = 1 << 20
	maxManifest = 4 << 20
)

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// besideKit are the files that a station may put beside a kit.
var besideKit = []string{usb.FirstBootDaemonFile, usb.FirstBootInstallFile, usb.ReadmeFile, usb.RunFile}

// parseStickSums reads the checksums of what lies beside a kit, by its name. What
// is not among that is left out.
func parseStickSums(data []byte) map[string]string {
	listed := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "" {
			continue
		}
		for _, ours := range besideKit {
			if name == ours {
				listed[name] = sum
			}
		}
	}
	return listed
}
