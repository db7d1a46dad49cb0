import PolicyFile
