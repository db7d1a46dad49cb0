// TLSInternalCA
