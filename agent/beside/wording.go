package beside

import "fmt"

// The words that stand beside Apple's login window. All others come from the agent's
// service, or are the page's.
const (
	wordClose   = "Close"
	wordTrouble = "The window to sign in with did not open. Please try again; if it does not open then either, restart this Mac."
)

// wordSignIn is the button's for as long as no screen had its own.
func wordSignIn(organisation string) string {
	if organisation == "" {
		return "Sign in"
	}
	return "Sign in with " + organisation
}

// wordChoose follows the sentence that says that the account is ready. Some login
// windows list people, others have a field for the name.
func wordChoose(account string) string {
	return fmt.Sprintf("Choose %s in the login window of this Mac, or type that name there.", account)
}
