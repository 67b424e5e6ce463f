//go:build cgo

package main

import _ "github.com/sassoftware/relic/v7/token/p11token" // loads the token's library, which takes cgo
