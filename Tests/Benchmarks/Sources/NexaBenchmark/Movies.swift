import NexaValue

/// The documents of the comparison: real films where the shared data is there, otherwise made ones of the same shape.
struct Movies: Sendable {
    var documents: [Document]
    /// One sentence for the report.
    var origin: String

    /// How many films the shared data has.
    static let count = 36_273

    /// Reads one JSON document per line.
    init(file path: String) throws(BenchmarkError) {
        let bytes = try contents(ofFile: path)
        documents = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            do {
                documents.append(try JSON.decodeDocument(Array(line)))
            } catch {
                throw BenchmarkError("\(path), line \(documents.count + 1): \(error)")
            }
        }
        guard !documents.isEmpty else { throw BenchmarkError("\(path) holds no documents") }
        origin = "\(documents.count) films, \(Self.averageSize(documents)) bytes of JSON on average"
    }

    /// Makes films: fields, years, and lengths of the texts are those of the shared data on average.
    init(synthetic count: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        documents = (0..<count).map { Self.film($0, &random) }
        origin = "\(count) synthetic films (seed \(seed)), \(Self.averageSize(documents)) bytes of JSON on average"
    }

    /// The years that occur, each with the number of its films.
    var years: [(year: Int64, count: Int)] {
        var counts: [Int64: Int] = [:]
        for document in documents {
            if let year = document["year"]?.int { counts[year, default: 0] += 1 }
        }
        return counts.sorted { $0.key < $1.key }.map { (year: $0.key, count: $0.value) }
    }

    private static func averageSize(_ documents: [Document]) -> Int {
        let total = documents.reduce(0) { sum, document in sum + ((try? JSON.encode(document))?.count ?? 0) }
        return total / max(1, documents.count)
    }

    private static func film(_ index: Int, _ random: inout SplitMix64) -> Document {
        let title = words(2 + random.next(below: 3), &random)
        let genres = ["Drama", "Comedy", "Silent", "Western", "Crime", "Short", "Horror", "Romance"]
        var film: Document = [
            "title": .string("\(title) \(index)"), "year": .int(Int64(1900 + random.next(below: 124))),
            "cast": .array((0..<random.next(below: 6)).map { _ in .string(words(2, &random)) }),
            "genres": .array((0..<random.next(below: 3)).map { _ in .string(genres[random.next(below: 8)]) }),
            "href": .string(title)
        ]
        guard random.next(below: 20) < 17 else { return film }
        film["extract"] = .string(words(20 + random.next(below: 50), &random))
        guard random.next(below: 20) < 13 else { return film }
        film["thumbnail"] = .string("https://example.org/thumbnails/\(words(8, &random)).jpg")
        film["thumbnail_width"] = .int(Int64(200 + random.next(below: 121)))
        film["thumbnail_height"] = .int(Int64(200 + random.next(below: 301)))
        return film
    }

    private static func words(_ count: Int, _ random: inout SplitMix64) -> String {
        let letters = Array("etaoinshrdlucmfwypvbgk")
        return (0..<count).map { _ in
            String((0..<(3 + random.next(below: 7))).map { _ in letters[random.next(below: letters.count)] })
        }.joined(separator: " ")
    }
}
