public import NexaTOON
import NexaValue

/// The documents of a TOON text, ready to be inserted.
public struct TOONImport: Sendable {
    /// The encoded documents.
    public let documents: [[UInt8]]

    /// Reads a text: an envelope of NexaDB (`documents`, and `count` if it is there), a list or table of documents, or
    /// one document.
    ///
    /// - Throws: `.badRequest` with line and column for text that is not acceptable, and for elements that are no
    ///   documents; `.limit` for more than 100 000.
    public init(_ text: RawSpan, _ options: TOON.DecodingOptions = .strict) throws(EngineError) {
        let value: Value
        do throws(TOONError) {
            value = try TOON.decode(text, options)
        } catch {
            throw EngineError(.badRequest, "Failed to import TOON data: \(error)")
        }
        documents = try Self.documents(in: value, isStrict: options.isStrict).map { MessagePack.encode($0) }
    }

    private static func documents(in value: Value, isStrict: Bool) throws(EngineError) -> [Value] {
        let elements: [Value]
        switch value {
        case .array(let values): elements = values
        case .document(let envelope):
            switch envelope["documents"] {
            case .array(let values)?:
                if isStrict, let count = envelope["count"]?.int, Int(count) != values.count {
                    throw EngineError(
                        .badRequest,
                        "Failed to import TOON data: 'count' says \(count), and there are \(values.count) documents",
                        advice: "See whether the text was cut short, or correct the count")
                }
                elements = values
            // Without documents at all: what an empty export of others may look like.
            case .document(let none)? where none.isEmpty && envelope["collection"] != nil: elements = []
            default: elements = [value]
            }
        default:
            throw EngineError(
                .badRequest, "Failed to import TOON data: the text is a \(value.kindName), not documents",
                advice: "Give a list, a table or a document")
        }
        guard elements.count <= EngineLimits.maximumBatchDocuments else {
            throw EngineError(
                .limit, "The text has \(elements.count) documents; the limit is \(EngineLimits.maximumBatchDocuments)",
                advice: "Split it into several texts")
        }
        for (index, element) in elements.enumerated() where element.document == nil {
            throw EngineError(
                .badRequest,
                "Failed to import TOON data: element \(index + 1) is a \(element.kindName), not a document")
        }
        return elements
    }

    /// The writes that store the documents, for one commit.
    ///
    /// - Parameter replacing: the documents that are there are deleted first.
    public func writes(replacing: Bool) -> [CollectionWrite] {
        var writes: [CollectionWrite] = []
        writes.reserveCapacity(documents.count + 1)
        if replacing {
            var everything = CollectionWrite(.filter(MessagePack.encode(.document([:]))), .delete)
            everything.isMany = true
            writes.append(everything)
        }
        for document in documents { writes.append(.insert(document)) }
        return writes
    }
}
