package api

// Protocol is what a client that knows the directory's pin offers in the TLS
// handshake (ALPN), after the protocols it speaks: the directory then shows the
// certificate of its own CA. To others, such as the browser of an employee's
// phone on the same port, it may show one that the world trusts.
const Protocol = "firstday/1"
