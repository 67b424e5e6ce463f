package signing

// AppleCertificates are those that are built in, the root first.
var AppleCertificates = appleCertificates
