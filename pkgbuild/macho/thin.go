package macho

const machHeaderSize = 32
