import Foundation
import NexaClient
import NexaValue

/// Something to search for.
struct Theme {
    var text: String
    var vector: [Float]
}

/// A directory with films and themes, each with the vector that one embedding model made of its text.
///
/// Either the sample of this example: `movies.ndjson` and `themes.ndjson`, with a `vector` in every line; or the whole
/// library: `movies.ndjson` and `queries.txt` without vectors, and those in `embeddings.f32` and `queries.f32`, one row of
/// 384 little-endian 32-bit floats for each line.
struct FilmLibrary {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    static let dimensions = 384
    let themes: [Theme]
    private let films: [Substring]
    private let embeddings: Data?

    init(_ directory: URL) throws {
        func text(_ name: String) throws -> String {
            do {
                return try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
            } catch {
                throw Fault(
                    description: "cannot read \(name) in \(directory.path); --data is a directory with movies.ndjson")
            }
        }
        films = try text("movies.ndjson").split(separator: "\n")
        let embeddings = try? Data(
            contentsOf: directory.appendingPathComponent("embeddings.f32"), options: .alwaysMapped)
        self.embeddings = embeddings
        guard let embeddings else {
            themes = try text("themes.ndjson").split(separator: "\n").map {
                let theme = try JSON.document($0)
                return Theme(text: theme["theme"]?.string ?? "", vector: theme["vector"]?.vector ?? [])
            }
            return
        }
        guard embeddings.count == films.count * Self.dimensions * 4 else {
            throw Fault(description: "embeddings.f32 has not one row of 384 floats for each line of movies.ndjson")
        }
        let queries = try Data(contentsOf: directory.appendingPathComponent("queries.f32"))
        themes = try text("queries.txt").split(separator: "\n").enumerated().map { row, text in
            Theme(text: String(text), vector: try Self.row(row, of: queries))
        }
    }

    /// The films as documents with vectors, some at a time.
    func batches(of size: Int) throws -> some Sequence<[Document]> {
        let starts = stride(from: 0, to: films.count, by: size)
        // Looked at before anything is sent: a bad line shall not leave half of the films behind.
        for film in films { _ = try JSON.document(film) }
        return starts.lazy.map { start in
            (start..<min(start + size, films.count)).compactMap { row in
                guard var film = try? JSON.document(films[row]) else { return nil }
                if let embeddings, let vector = try? Self.row(row, of: embeddings) { film["vector"] = .vector(vector) }
                return film
            }
        }
    }

    /// The theme that is written so, or that has the most of the words.
    func theme(like text: String?) throws -> Theme {
        guard let text else { return themes[0] }
        func words(_ text: String) -> Set<Substring> { Set(text.lowercased().split { !$0.isLetter && !$0.isNumber }) }
        let wanted = words(text)
        let best = themes.max { words($0.text).intersection(wanted).count < words($1.text).intersection(wanted).count }
        guard let best, !words(best.text).isDisjoint(with: wanted) else {
            throw Fault(description: "no theme is like “\(text)”; --themes lists those that have a vector")
        }
        return best
    }

    private static func row(_ row: Int, of data: Data) throws -> [Float] {
        let start = row * dimensions * 4
        guard start + dimensions * 4 <= data.count else { throw Fault(description: "a file of vectors is too short") }
        return data.withUnsafeBytes { bytes in
            (0..<dimensions).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: start + $0 * 4, as: UInt32.self)))
            }
        }
    }
}

extension JSON {
    fileprivate static func document(_ line: Substring) throws -> Document {
        guard let document = try decode(String(line)).document else {
            throw FilmLibrary.Fault(description: "a line is no JSON document: \(line.prefix(60))")
        }
        return document
    }
}

extension Value {
    fileprivate var vector: [Float]? { array?.compactMap { $0.double.map { Float($0) } } }
}
