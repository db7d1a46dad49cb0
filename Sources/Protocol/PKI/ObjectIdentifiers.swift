// The two extensions of Sallyport's certificates (docs/identity.md, "Extensions").

import SwiftASN1

extension ASN1ObjectIdentifier {
    /// The tags of a processing unit: DER `SEQUENCE OF UTF8String`, in leaves, not critical.
    package static let processingUnitTags: ASN1ObjectIdentifier = [1, 3, 6, 1, 4, 1, 58888, 1, 1]
    /// The namespaces an enforcer may speak for: DER `SEQUENCE OF UTF8String`, in intermediates, critical.
    package static let enforcerNamespaces: ASN1ObjectIdentifier = [1, 3, 6, 1, 4, 1, 58888, 1, 2]
}
