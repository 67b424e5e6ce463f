package config_test

import (
	"errors"
	"fmt"

	"firstday.dev/config"
)

func ExampleParse() {
	c, err := config.Parse("firstday.yaml", []byte(`
version: 1
organisation:
  name: Acme
directory:
  url: https://directory.acme.example
connectKey:
  env: FIRSTDAY_CONNECT_KEY
windows:
  computerName: ACME-%SERIAL%
`))
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Package.Name, c.Package.Version, c.ConnectKey)
	fmt.Println("characters of the serial number:", c.Windows.ComputerName.SerialRoom())
	// Output:
	// Acme 1.0 environment variable FIRSTDAY_CONNECT_KEY
	// characters of the serial number: 10
}

func ExampleErrors() {
	_, err := config.Parse("firstday.yaml", []byte(`version: 1
organisation:
  nam: Acme
directory:
  url: https://directory.acme.example
connectKey:
  env: FIRSTDAY_CONNECT_KEY
windows:
  wifi:
    - ssid: Office
      security: wpa4
`))
	var mistakes config.Errors
	if errors.As(err, &mistakes) {
		for _, e := range mistakes {
			fmt.Printf("error: %v\n%s\nhint: %s\n", e, e.Excerpt(), e.Hint)
		}
	}
	// Output:
	// error: firstday.yaml:3:3: "nam" is not known here
	//     3 |   nam: Acme
	//       |   ^
	// hint: did you mean name?
	// error: firstday.yaml:11:17: security is "wpa4"; it must be wpa2, wpa3 or open
	//    11 |       security: wpa4
	//       |                 ^
	// hint: did you mean wpa2?
}
