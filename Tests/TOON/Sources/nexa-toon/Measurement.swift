import Glibc
import NexaTOON
import NexaValue

/// How fast documents are written and read as TOON and as compact JSON, and how large they are.
struct Measurement {
    var path: String

    func run() {
        measure("as they are", .unchanged)
        measure("shaped for a prompt", .prompt)
    }

    /// The documents of the file, in a shape.
    func values(_ shape: TOONShape) -> Value {
        guard let bytes = contents() else {
            say("cannot read \(path)")
            exit(1)
        }
        let documents = bytes.split(separator: 0x0A).compactMap { try? JSON.decodeDocument(Array($0)) }
        var shaper = TOONShaper(shape)
        for document in documents { shaper.survey(document) }
        return .array(documents.map { .document(shaper.apply($0)) })
    }

    private func measure(_ name: String, _ shape: TOONShape) {
        let values = values(shape)
        guard let text = try? TOON.encode(values), let json = try? JSON.encode(values) else { return }
        let toonEncoding = best { (try? TOON.encode(values))?.count ?? 0 }
        let toonDecoding = best { (try? TOON.decode(text))?.array?.count ?? 0 }
        let jsonEncoding = best { (try? JSON.encode(values))?.count ?? 0 }
        let jsonDecoding = best { (try? JSON.decode(json))?.array?.count ?? 0 }
        func rate(_ size: Int, _ seconds: Double) -> Int { Int(Double(size) / 1e6 / seconds) }
        print(
            """
            \(values.array?.count ?? 0) documents, \(name)
              TOON  \(text.count) bytes, estimated tokens \(TokenEstimate.count(text.span.bytes)), \
            encode \(rate(text.count, toonEncoding)) MB/s, decode \(rate(text.count, toonDecoding)) MB/s
              JSON  \(json.count) bytes, estimated tokens \(TokenEstimate.count(json.span.bytes)), \
            encode \(rate(json.count, jsonEncoding)) MB/s, decode \(rate(json.count, jsonDecoding)) MB/s
            """)
    }

    /// The shortest of several runs, in seconds.
    private func best(_ body: () -> Int) -> Double {
        var best = Double.infinity
        for _ in 0..<7 {
            let start = ContinuousClock.now
            let result = body()
            let time = ContinuousClock.now - start
            precondition(result > 0)
            best = min(best, Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds))
        }
        return best
    }

    private func contents() -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        let size = ftell(file)
        fseek(file, 0, SEEK_SET)
        guard size > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = fread(buffer.baseAddress, 1, size, file)
        }
    }
}
