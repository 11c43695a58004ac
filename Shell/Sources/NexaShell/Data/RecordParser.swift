import NexaClient
import NexaValue

/// Makes documents of the records of a batch. A value: every batch is parsed by a task of its own.
struct RecordParser: Sendable {
    /// A record that is no document, and the byte of it where that shows.
    struct Fault: Error, Sendable, Equatable {
        var message: String
        var offset = 0
    }

    /// The documents of a batch.
    struct Parsed: Sendable {
        /// The documents as they are sent, when they are only inserted.
        var encoded = EncodedBatch()
        /// The documents, when they are more than inserted.
        var documents: [Document] = []
        /// The record of each document.
        var places: [Int] = []
        /// The records that are none.
        var faults: [(record: Int, fault: Fault)] = []
    }

    /// How the text of a record is read.
    enum Syntax: Sendable {
        case json(JSON.Options)
        case cells(DelimitedParser)
        case toon(TOONRecords)
    }

    let syntax: Syntax
    let shaping: DocumentShaping
    /// Whether the documents are only inserted.
    let isInsert: Bool

    /// - Parameter stopsAtFault: whether what stands behind the first fault is of no interest.
    func parse(_ batch: RecordReader.Batch, stopsAtFault: Bool) -> Parsed {
        var parsed = Parsed()
        parsed.places.reserveCapacity(batch.records.count)
        if isInsert {
            parsed.encoded.reserveCapacity(
                documents: batch.records.count, bytes: batch.bytes.count + 64 * batch.records.count)
        }
        var scratch = MessagePackWriter(capacity: 4096)
        for (index, record) in batch.records.enumerated() {
            do throws(Fault) {
                try parse(batch.bytes, record.range, into: &parsed, &scratch)
                parsed.places.append(index)
            } catch {
                parsed.faults.append((index, error))
                if stopsAtFault { break }
            }
        }
        return parsed
    }

    private func parse(
        _ bytes: [UInt8], _ range: Range<Int>, into parsed: inout Parsed, _ scratch: inout MessagePackWriter
    ) throws(Fault) {
        let document: Document
        switch syntax {
        case .json(let options):
            do throws(JSONError) {
                if isInsert, shaping.isNone {
                    return try parsed.encoded.append(
                        json: bytes.span.bytes.extracting(range), options, scratch: &scratch)
                }
                document = try JSON.decodeDocument(bytes.span.bytes.extracting(range), options)
            } catch {
                throw Fault(message: error.message, offset: error.offset)
            }
        case .cells(let parser): document = try parser.document(bytes[range])
        case .toon(let records): document = try records.document(bytes[range])
        }
        let shaped = try shaping.apply(to: document)
        if isInsert { parsed.encoded.append(shaped) } else { parsed.documents.append(shaped) }
    }
}

/// What an import changes in every document.
struct DocumentShaping: Sendable {
    /// The field whose value is the `_id` as well.
    var idField: String?
    /// The field that holds the vector: it is stored as 32-bit floats, and has as many in every document.
    var vectorField: String?
    /// How many that are; the first document says.
    private let dimensions = VectorDimensions()

    init(idField: String? = nil, vectorField: String? = nil) {
        self.idField = idField
        self.vectorField = vectorField
    }

    var isNone: Bool { idField == nil && vectorField == nil }

    func apply(to document: Document) throws(RecordParser.Fault) -> Document {
        var document = document
        if let vectorField {
            let path = vectorField.split(separator: ".", omittingEmptySubsequences: false)[...]
            if let value = document.nested(at: path) {
                document.setNested(.vector(try vector(value, vectorField)), at: path)
            }
        }
        guard let idField else { return document }
        guard let id = document[path: idField] else {
            throw RecordParser.Fault(message: "there is no field '\(idField)' to take the _id from")
        }
        switch id {
        case .string, .int: break
        default:
            throw RecordParser.Fault(
                message: "'\(idField)' cannot be the _id: it is a \(id.kindName), not a text or an integer")
        }
        var result: Document = ["_id": id]
        for (key, value) in document where key != "_id" { result[key] = .some(value) }
        return result
    }

    private func vector(_ value: Value, _ field: String) throws(RecordParser.Fault) -> [Float] {
        guard let elements = value.array, !elements.isEmpty else {
            throw RecordParser.Fault(message: "'\(field)' is no vector: it is a \(value.kindName)")
        }
        var vector: [Float] = []
        vector.reserveCapacity(elements.count)
        for element in elements {
            guard let number = element.double, Float(number).isFinite else {
                throw RecordParser.Fault(message: "'\(field)' is no vector: it has an element that is no number")
            }
            vector.append(Float(number))
        }
        let expected = dimensions.expected(vector.count)
        guard vector.count == expected else {
            throw RecordParser.Fault(
                message: "the vector '\(field)' has \(vector.count) dimensions, those before have \(expected)")
        }
        return vector
    }
}
