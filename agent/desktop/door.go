package desktop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// The service and the doorkeeper say one line each: the logon SID, then that the
// way is open, or why it is not. The end of the doorkeeper's input closes it.
const (
	doorOpen    = "open"
	doorFailed  = "error "
	maxDoorLine = 512
)

// logonSID is S-1-5-5, then the logon's number in two halves: it is nobody
// else's, and means nothing once the logon has ended.
var logonSID = regexp.MustCompile(`^S-1-5-5-[0-9]{1,10}-[0-9]{1,10}$`)

var errDoorLine = errors.New("not what the service and the doorkeeper say to each other")

func readDoorLine(r io.Reader) (string, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, maxDoorLine), maxDoorLine).ReadString('\n')
	if errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%w: it ends after %d bytes", errDoorLine, len(line))
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// readLogonSID reads what the service says.
func readLogonSID(r io.Reader) (string, error) {
	line, err := readDoorLine(r)
	if err != nil {
		return "", err
	}
	if !logonSID.MatchString(line) {
		return "", fmt.Errorf("%w: it is no logon SID", errDoorLine)
	}
	return line, nil
}

// readDoorAnswer reads what the doorkeeper says.
func readDoorAnswer(r io.Reader) error {
	line, err := readDoorLine(r)
	if err != nil {
		return err
	}
	if why, failed := strings.CutPrefix(line, doorFailed); failed {
		return errors.New(why)
	}
	if line != doorOpen {
		return errDoorLine
	}
	return nil
}

// doorAnswer gives the answer, of one line.
func doorAnswer(err error) string {
	if err == nil {
		return doorOpen + "\n"
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, err.Error())
	return doorFailed + strings.ToValidUTF8(text[:min(len(text), maxDoorLine-len(doorFailed)-1)], "") + "\n"
}
