rem provision
