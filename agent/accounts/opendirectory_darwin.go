package accounts

import (
	"fmt"
	"sync"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/internal/cocoa"
)

// openDirectory is the local node through the Objective-C classes of
// OpenDirectory.framework (ODSession.h, ODNode.h, ODQuery.h, ODRecord.h), which
// root may change. Passwords go through memory only, unlike those of dscl and
// sysadminctl, and no right of the authorization database is asked for, which
// hardened Macs refuse to those tools.
type openDirectory struct{}

// localNodeName is the node whose records are in /var/db/dslocal.
const localNodeName = "/Local/Default"

const odMatchAny = 0x1 // kODMatchAny (its value as in the tests of pyobjc-framework-CFOpenDirectory)

// maxRecords and maxValues bound what is believed of a node.
const (
	maxRecords = 100000
	maxValues  = 10000
)

// askedAttributes are what is asked for.
var askedAttributes = []string{
	attrName, attrFullName, attrNumber, attrHome, attrShell, attrGUID, attrAuthority, attrMembers, attrMembersGUIDs, attrHidden, attrMark,
}

var loadOpenDirectory = sync.OnceValue(func() error { return cocoa.Load("OpenDirectory") })

// onNode calls do with the node, in a pool.
func onNode(do func(node objc.ID) error) error {
	if err := loadOpenDirectory(); err != nil {
		return err
	}
	return cocoa.InPool(func() error {
		session := cocoa.Class("ODSession").Send(cocoa.Sel("defaultSession"))
		var problem objc.ID
		node := cocoa.Class("ODNode").Send(cocoa.Sel("nodeWithSession:name:error:"), session, cocoa.Text(localNodeName), &problem)
		if node == 0 {
			return fmt.Errorf("opening directory node %s: %w", localNodeName, errorOf(problem))
		}
		return do(node)
	})
}

// onUser calls do with a user's record.
func onUser(name string, do func(user objc.ID) error) error {
	return onNode(func(node objc.ID) error {
		user, err := record(node, macUsers, name)
		if err != nil {
			return err
		}
		return do(user)
	})
}

func record(node objc.ID, kind, name string) (objc.ID, error) {
	var problem objc.ID
	r := node.Send(cocoa.Sel("recordWithRecordType:name:attributes:error:"), cocoa.Text(kind), cocoa.Text(name), objc.ID(0), &problem)
	if r != 0 {
		return r, nil
	}
	if problem == 0 { // nothing went wrong, so there is none
		return 0, notFound(name)
	}
	return 0, fmt.Errorf("record %s of %s: %w", name, kind, errorOf(problem))
}

// records asks for all as a query by name with kODMatchAny and no value does.
func (openDirectory) records(kind string) (found []macRecord, err error) {
	err = onNode(func(node objc.ID) error {
		var problem objc.ID
		query := cocoa.Class("ODQuery").Send(
			cocoa.Sel("queryWithNode:forRecordTypes:attribute:matchType:queryValues:returnAttributes:maximumResults:error:"),
			node, cocoa.Text(kind), cocoa.Text(attrName), uint32(odMatchAny), objc.ID(0), texts(askedAttributes), 0, &problem)
		if query == 0 {
			return fmt.Errorf("asking for %s: %w", kind, errorOf(problem))
		}
		results := query.Send(cocoa.Sel("resultsAllowingPartial:error:"), false, &problem)
		if results == 0 {
			return fmt.Errorf("asking for %s: %w", kind, errorOf(problem))
		}
		if n := objc.Send[uint](results, cocoa.Sel("count")); n > maxRecords {
			return fmt.Errorf("asking for %s: %d records", kind, n)
		}
		for r := range elements(results) {
			details := r.Send(cocoa.Sel("recordDetailsForAttributes:error:"), texts(askedAttributes), &problem)
			if details == 0 {
				return fmt.Errorf("reading a record of %s: %w", kind, errorOf(problem))
			}
			found = append(found, readRecord(details))
		}
		return nil
	})
	return found, err
}

// readRecord takes values that are text of a sensible length: others, NSData, are
// pictures and keys.
func readRecord(details objc.ID) macRecord {
	r := make(macRecord)
	for _, attribute := range askedAttributes {
		values := details.Send(cocoa.Sel("objectForKey:"), cocoa.Text(attribute))
		if values == 0 {
			continue
		}
		for v := range elements(values) {
			if len(r[attribute]) == maxValues {
				break
			}
			if !objc.Send[bool](v, cocoa.Sel("isKindOfClass:"), cocoa.Class("NSString")) || objc.Send[uint](v, cocoa.Sel("length")) > longestValue {
				continue
			}
			r[attribute] = append(r[attribute], cocoa.GoText(v))
		}
	}
	return r
}

func (openDirectory) create(name string, attributes macRecord) error {
	return onNode(func(node objc.ID) error {
		dictionary := cocoa.Class("NSMutableDictionary").Send(cocoa.Sel("dictionary"))
		for attribute, values := range attributes {
			dictionary.Send(cocoa.Sel("setObject:forKey:"), texts(values), cocoa.Text(attribute))
		}
		var problem objc.ID
		r := node.Send(cocoa.Sel("createRecordWithRecordType:name:attributes:error:"), cocoa.Text(macUsers), cocoa.Text(name), dictionary, &problem)
		if r != 0 {
			return nil
		}
		return errorAbout("making", name, problem)
	})
}

func (openDirectory) set(name, attribute string, values []string) error {
	return onUser(name, func(user objc.ID) error {
		var problem objc.ID
		if !objc.Send[bool](user, cocoa.Sel("setValue:forAttribute:error:"), texts(values), cocoa.Text(attribute), &problem) {
			return fmt.Errorf("setting %s of account %s: %w", attribute, name, errorOf(problem))
		}
		return nil
	})
}

// change is one call for each value.
func (openDirectory) change(name, attribute string, add, remove []string) error {
	return onUser(name, func(user objc.ID) error {
		for _, step := range []struct {
			message string
			values  []string
		}{{"addValue:toAttribute:error:", add}, {"removeValue:fromAttribute:error:", remove}} {
			for _, v := range step.values {
				var problem objc.ID
				if !objc.Send[bool](user, cocoa.Sel(step.message), cocoa.Text(v), cocoa.Text(attribute), &problem) {
					return fmt.Errorf("changing %s of account %s: %w", attribute, name, errorOf(problem))
				}
			}
		}
		return nil
	})
}

// setPassword: without the old one "an attempt to set the password will be tried"
// (CFODRecord.h), which root may.
func (openDirectory) setPassword(name string, password []byte) error {
	return onUser(name, func(user objc.ID) error {
		var problem objc.ID
		if objc.Send[bool](user, cocoa.Sel("changePassword:toPassword:error:"), objc.ID(0), cocoa.TextOf(password), &problem) {
			return nil
		}
		return errorAbout("setting the password of", name, problem)
	})
}

func (openDirectory) changePassword(name string, old, password []byte) error {
	return onUser(name, func(user objc.ID) error {
		var problem objc.ID
		if objc.Send[bool](user, cocoa.Sel("changePassword:toPassword:error:"), cocoa.TextOf(old), cocoa.TextOf(password), &problem) {
			return nil
		}
		return errorAbout("changing the password of", name, problem)
	})
}

func (openDirectory) checkPassword(name string, password []byte) error {
	return onUser(name, func(user objc.ID) error {
		var problem objc.ID
		if objc.Send[bool](user, cocoa.Sel("verifyPassword:error:"), cocoa.TextOf(password), &problem) {
			return nil
		}
		return errorAbout("asking for the password of", name, problem)
	})
}

func (openDirectory) setMember(group, name string, member bool) error {
	message := "removeMemberRecord:error:"
	if member {
		message = "addMemberRecord:error:"
	}
	return onNode(func(node objc.ID) error {
		g, err := record(node, macGroups, group)
		if err != nil {
			return err
		}
		user, err := record(node, macUsers, name)
		if err != nil {
			return err
		}
		var problem objc.ID
		if !objc.Send[bool](g, cocoa.Sel(message), user, &problem) {
			return fmt.Errorf("changing who is in group %s: %w", group, errorOf(problem))
		}
		return nil
	})
}

func (openDirectory) deleteUser(name string) error {
	return onUser(name, func(user objc.ID) error {
		var problem objc.ID
		if !objc.Send[bool](user, cocoa.Sel("deleteRecordAndReturnError:"), &problem) {
			return fmt.Errorf("removing account %s: %w", name, errorOf(problem))
		}
		return nil
	})
}

func texts(values []string) objc.ID {
	array := cocoa.Class("NSMutableArray").Send(cocoa.Sel("array"))
	for _, v := range values {
		array.Send(cocoa.Sel("addObject:"), cocoa.Text(v))
	}
	return array
}

// elements ranges over an NSArray.
func elements(array objc.ID) func(yield func(objc.ID) bool) {
	return func(yield func(objc.ID) bool) {
		for i := range objc.Send[uint](array, cocoa.Sel("count")) {
			if !yield(array.Send(cocoa.Sel("objectAtIndex:"), i)) {
				return
			}
		}
	}
}

// errorAbout is macError for an NSError, nil among them.
func errorAbout(doing, account string, problem objc.ID) error {
	return macError(doing, account, cocoa.Code(problem), wordsOf(problem))
}

func errorOf(problem objc.ID) error {
	return fmt.Errorf("%s (OpenDirectory error %d)", wordsOf(problem), cocoa.Code(problem))
}

// wordsOf gives an NSError's words; nil has none.
func wordsOf(problem objc.ID) string {
	if problem == 0 {
		return "OpenDirectory does not say why"
	}
	description := problem.Send(cocoa.Sel("localizedDescription"))
	if description == 0 {
		return "OpenDirectory has no words for it"
	}
	return cocoa.GoText(description)
}
