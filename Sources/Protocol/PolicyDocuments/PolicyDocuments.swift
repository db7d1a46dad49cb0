// PolicyDocuments
