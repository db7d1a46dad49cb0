// TLSEngine
