// Interception
