import NexaProtocol
import NexaValue

/// NexaDB: its own frames, documents with the client's ids.
struct NexaWire: WireProtocol {
    typealias Scanner = NexaReplyScanner

    /// The password of the user `root`.
    var password: String

    let name = "NexaDB"
    let numberForm = RequestTemplates.NumberForm.bigEndian
    let updateCarriesDocument = false

    private let films = Request.Namespace(database: "bench", collection: "films")
    private let inserted = Request.Namespace(database: "bench", collection: "inserted")

    init(password: String) { self.password = password }

    func begin(_ connection: Connection<Scanner>) throws(BenchmarkError) -> String {
        let connect = Request.Connect(username: "root", password: password, applicationName: "nexa-bench")
        let connected = Reply.Connected(try fields(connection.exchange(frame(.connect(connect)))))
        for capability in [Capability.clientIDs, .durability, .queryOptions]
        where !connected.capabilities.contains(capability) {
            throw BenchmarkError("the server does not grant '\(capability.rawValue)', which the comparison needs")
        }
        return connected.serverVersion ?? "of unknown version"
    }

    func createCollections(_ control: Connection<Scanner>) throws(BenchmarkError) {
        _ = try control.exchange(frame(.createDatabase("bench")))
    }

    func removeInserted(_ control: Connection<Scanner>) throws(BenchmarkError) {
        let names = try fields(control.exchange(frame(.listCollections(database: "bench"))))["collections"]?.array
        guard names?.contains(.string(inserted.collection)) == true else { return }
        _ = try control.exchange(frame(.dropCollection(inserted)))
    }

    func countInserted(_ control: Connection<Scanner>) throws(BenchmarkError) -> Int {
        let query = Request.Query(namespace: inserted, limit: 0, isCountOnly: true)
        return try documentCount(inReply: control.exchange(frame(.query(query))))
    }

    func request(_ operation: Operation, film: Document, year: Int64) throws(BenchmarkError) -> [UInt8]? {
        let id = Value.string(RequestTemplates.idPlaceholder)
        let durability: Request.Durability? =
            switch operation.durability {
            case nil: nil
            case .sync?: .sync
            case .os?: .os
            }
        switch operation {
        case .load, .insertOS, .insertSync:
            var document: Document = ["_id": id]
            for (key, value) in film { document[key] = value }
            return frame(
                .insert(
                    Request.Insert(
                        namespace: operation == .load ? films : inserted, document: MessagePack.encode(document),
                        durability: durability)))
        case .read: return frame(.read(Request.Read(namespace: films, id: id)))
        case .updateOS, .updateSync:
            let change: Document = ["views": .int(Int64(RequestTemplates.numberPlaceholder))]
            return frame(
                .update(
                    Request.Update(
                        namespace: films, id: id, updates: MessagePack.encode(change), durability: durability)))
        case .query:
            return frame(.query(Request.Query(namespace: films, filter: ["year": .int(year)], limit: 0)))
        }
    }

    func document(inReply reply: [UInt8]) throws(BenchmarkError) -> Document {
        guard let document = try fields(reply)["document"]?.document else {
            throw BenchmarkError("the reply to READ carries no document")
        }
        return document
    }

    func documentCount(inReply reply: [UInt8]) throws(BenchmarkError) -> Int {
        guard let count = try fields(reply)["count"]?.int else {
            throw BenchmarkError("the reply to QUERY carries no count")
        }
        return Int(count)
    }

    private func frame(_ request: Request) -> [UInt8] {
        var writer = MessagePackWriter(capacity: 1024)
        request.encodeFrame(into: &writer)
        return writer.bytes
    }

    private func fields(_ frame: [UInt8]) throws(BenchmarkError) -> Document {
        do throws(MessagePackError) {
            return try Reply.fields(frame.span.bytes.extracting(FrameHeader.byteCount..<frame.count))
        } catch {
            throw BenchmarkError("the payload of a reply is not MessagePack: \(error)")
        }
    }
}
