// Makemsi writes a small Windows Installer package with msi.dll itself, for
// tests: it sets one registry value to the property TOKEN.
//
// usage: makemsi FILE
package main

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	msi             = windows.NewLazySystemDLL("msi.dll")
	openDatabase    = msi.NewProc("MsiOpenDatabaseW")
	openView        = msi.NewProc("MsiDatabaseOpenViewW")
	execute         = msi.NewProc("MsiViewExecute")
	closeHandle     = msi.NewProc("MsiCloseHandle")
	summary         = msi.NewProc("MsiGetSummaryInformationW")
	setProperty     = msi.NewProc("MsiSummaryInfoSetPropertyW")
	persist         = msi.NewProc("MsiSummaryInfoPersist")
	commit          = msi.NewProc("MsiDatabaseCommit")
	createDirect    = uintptr(4) // MSIDBOPEN_CREATEDIRECT
	vtI4, vtLPSTR   = uintptr(3), uintptr(30)
	productCode     = "{7A1E4C52-3B0D-4F6A-9C1E-5D2B8F0A6E31}"
	componentID     = "{2F9D6B10-84C7-4E35-A0B2-91C7D3E5F482}"
	packageCode     = "{C4D8E1A6-0F27-4B93-8E5D-6A7B2C9F1D05}"
	schemaAndValues = `
CREATE TABLE Property (Property CHAR(72) NOT NULL, Value CHAR(0) NOT NULL PRIMARY KEY Property)
INSERT INTO Property (Property, Value) VALUES ('ProductCode', '` + productCode + `')
INSERT INTO Property (Property, Value) VALUES ('ProductName', 'Firstday test')
INSERT INTO Property (Property, Value) VALUES ('ProductVersion', '1.0.0')
INSERT INTO Property (Property, Value) VALUES ('ProductLanguage', '1033')
INSERT INTO Property (Property, Value) VALUES ('Manufacturer', 'Firstday')
INSERT INTO Property (Property, Value) VALUES ('ALLUSERS', '1')
CREATE TABLE Directory (Directory CHAR(72) NOT NULL, Directory_Parent CHAR(72), DefaultDir CHAR(255) NOT NULL PRIMARY KEY Directory)
INSERT INTO Directory (Directory, DefaultDir) VALUES ('TARGETDIR', 'SourceDir')
CREATE TABLE Component (Component CHAR(72) NOT NULL, ComponentId CHAR(38), Directory_ CHAR(72) NOT NULL, Attributes SHORT NOT NULL, Condition CHAR(255), KeyPath CHAR(72) PRIMARY KEY Component)
INSERT INTO Component (Component, ComponentId, Directory_, Attributes, KeyPath) VALUES ('c', '` + componentID + `', 'TARGETDIR', 260, 'r')
CREATE TABLE Feature (Feature CHAR(38) NOT NULL, Feature_Parent CHAR(38), Title CHAR(64), Description CHAR(255), Display SHORT, Level SHORT NOT NULL, Directory_ CHAR(72), Attributes SHORT NOT NULL PRIMARY KEY Feature)
INSERT INTO Feature (Feature, Display, Level, Attributes) VALUES ('f', 1, 1, 0)
CREATE TABLE FeatureComponents (Feature_ CHAR(38) NOT NULL, Component_ CHAR(72) NOT NULL PRIMARY KEY Feature_, Component_)
INSERT INTO FeatureComponents (Feature_, Component_) VALUES ('f', 'c')
CREATE TABLE Registry (Registry CHAR(72) NOT NULL, Root SHORT NOT NULL, Key CHAR(255) NOT NULL, Name CHAR(255), Value CHAR(0), Component_ CHAR(72) NOT NULL PRIMARY KEY Registry)
INSERT INTO Registry (Registry, Root, Key, Name, Value, Component_) VALUES ('r', 2, 'SOFTWARE\FirstdayTest', 'token', '[TOKEN]', 'c')
CREATE TABLE Media (DiskId SHORT NOT NULL, LastSequence LONG NOT NULL, DiskPrompt CHAR(64), Cabinet CHAR(255), VolumeLabel CHAR(32), Source CHAR(72) PRIMARY KEY DiskId)
CREATE TABLE File (File CHAR(72) NOT NULL, Component_ CHAR(72) NOT NULL, FileName CHAR(255) NOT NULL, FileSize LONG NOT NULL, Version CHAR(72), Language CHAR(20), Attributes SHORT, Sequence SHORT NOT NULL PRIMARY KEY File)
CREATE TABLE InstallExecuteSequence (Action CHAR(72) NOT NULL, Condition CHAR(255), Sequence SHORT PRIMARY KEY Action)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('CostInitialize', 800)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('FileCost', 900)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('CostFinalize', 1000)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('InstallValidate', 1400)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('InstallInitialize', 1500)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('ProcessComponents', 1600)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('WriteRegistryValues', 5000)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('RegisterProduct', 6100)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('PublishFeatures', 6300)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('PublishProduct', 6400)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('InstallFinalize', 6600)
`
)

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "makemsi:", err)
		os.Exit(1)
	}
}

func write(file string) error {
	var db uint32
	if err := call(openDatabase, text(file), createDirect, uintptr(unsafe.Pointer(&db))); err != nil {
		return err
	}
	for sql := range strings.Lines(strings.TrimSpace(schemaAndValues)) {
		var view uint32
		if err := call(openView, uintptr(db), text(quoteNames(strings.TrimSpace(sql))), uintptr(unsafe.Pointer(&view))); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		if err := call(execute, uintptr(view), 0); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		if err := call(closeHandle, uintptr(view)); err != nil {
			return err
		}
	}
	var info uint32
	if err := call(summary, uintptr(db), 0, 10, uintptr(unsafe.Pointer(&info))); err != nil {
		return err
	}
	for _, p := range []struct {
		id, kind uintptr
		number   uintptr
		text     string
	}{
		{id: 7, kind: vtLPSTR, text: "x64;1033"},  // PID_TEMPLATE
		{id: 9, kind: vtLPSTR, text: packageCode}, // PID_REVNUMBER
		{id: 14, kind: vtI4, number: 200},         // PID_PAGECOUNT: the installer's version
		{id: 15, kind: vtI4, number: 2},           // PID_WORDCOUNT: compressed
	} {
		if err := call(setProperty, uintptr(info), p.id, p.kind, p.number, 0, text(p.text)); err != nil {
			return fmt.Errorf("summary property %d: %w", p.id, err)
		}
	}
	if err := call(persist, uintptr(info)); err != nil {
		return err
	}
	if err := call(closeHandle, uintptr(info)); err != nil {
		return err
	}
	if err := call(commit, uintptr(db)); err != nil {
		return err
	}
	return call(closeHandle, uintptr(db))
}

// quoteNames puts back quotes round the words MSI's SQL reserves.
func quoteNames(sql string) string {
	for _, word := range []string{"Property", "Value", "Key", "Name", "Action", "Sequence", "Condition", "Directory", "Component", "Feature", "File", "Media", "Registry", "Language", "Version", "Level", "Source"} {
		sql = strings.NewReplacer(
			"TABLE "+word+" ", "TABLE `"+word+"` ", "INTO "+word+" ", "INTO `"+word+"` ",
			"("+word+" ", "(`"+word+"` ", "("+word+",", "(`"+word+"`,",
			", "+word+" ", ", `"+word+"` ", ", "+word+",", ", `"+word+"`,", ", "+word+")", ", `"+word+"`)",
			"KEY "+word+")", "KEY `"+word+"`)").Replace(sql)
	}
	return sql
}

// kept holds what msi.dll sees as plain numbers.
var kept []*uint16

func text(s string) uintptr {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		panic(err)
	}
	kept = append(kept, p)
	return uintptr(unsafe.Pointer(p))
}

func call(proc *windows.LazyProc, args ...uintptr) error {
	if code, _, _ := proc.Call(args...); code != 0 {
		return fmt.Errorf("%s: %w", proc.Name, windows.Errno(code))
	}
	return nil
}
