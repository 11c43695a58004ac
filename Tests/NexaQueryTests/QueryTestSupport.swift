import NexaQuery
import NexaValue

/// Relaxed JSON as a document.
func relaxed(_ text: String) throws -> Document {
    try JSON.decodeDocument(text, JSON.Options(isRelaxed: true, readsExtendedForms: !text.contains("$regex")))
}

/// A document as a person reads it.
func json(_ document: Document) -> String {
    (try? JSON.string(document, .init(nonFiniteNumbers: .extendedForm))) ?? "\(document)"
}

extension QueryFilter {
    /// Matches a document after encoding it.
    func matches(_ document: Document) throws -> Bool {
        let bytes = MessagePack.encode(document)
        return try matches(bytes.span.bytes)
    }
}

extension QueryError {
    /// The error of a body that must throw one.
    static func of(_ body: () throws -> Void) -> QueryError? {
        do {
            try body()
            return nil
        } catch {
            return error as? QueryError
        }
    }
}
