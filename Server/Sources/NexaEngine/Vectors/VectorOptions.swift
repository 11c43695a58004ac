public import NexaValue
public import NexaVector

/// What makes an index one of vectors: its entries are found by nearness and not by order.
public typealias VectorOptions = VectorIndex.Configuration

extension VectorOptions {
    /// The field that NexaDB 3.0 knew; a list of numbers in it gets an index by itself.
    public static let defaultPath = "vector"

    /// How near two vectors are.
    public typealias Metric = VectorIndex.Metric
    /// How vectors are kept in memory. Searches look at the stored vectors, which are exact, for the final order.
    public typealias Quantization = VectorIndex.Quantization

    /// As a client gets it: `{dimensions, metric, quantization, m, ef_construction}`.
    public var fields: Document {
        [
            "dimensions": .int(Int64(dimensions)), "metric": .string(metric.rawValue),
            "quantization": .string(quantization.rawValue), "m": .int(Int64(maxConnections)),
            "ef_construction": .int(Int64(efConstruction))
        ]
    }

    /// Reads the form of `fields`; all but the dimensions have a default.
    init(_ document: Document) throws(EngineError) {
        guard let dimensions = document["dimensions"]?.int else {
            throw EngineError(.badRequest, "A vector index needs the length of its vectors: {dimensions: 384}")
        }
        self.init(dimensions: Int(clamping: dimensions))
        if let name = document["metric"], !name.isNull {
            metric = try Self.choice(name, "metric", Metric.allCases)
        }
        if let name = document["quantization"], !name.isNull {
            quantization = try Self.choice(name, "quantization", Quantization.allCases)
        }
        maxConnections = try Self.number(document["m"], "m") ?? maxConnections
        efConstruction = try Self.number(document["ef_construction"], "ef_construction") ?? efConstruction
    }

    /// The way of keeping vectors that a name stands for; `nil` for no name.
    ///
    /// - Throws: `.badRequest` for an unknown name.
    public static func quantization(named name: String?) throws(EngineError) -> Quantization? {
        try name.map { (name) throws(EngineError) in
            try choice(.string(name), "quantization", Quantization.allCases)
        }
    }

    private static func number(_ value: Value?, _ name: String) throws(EngineError) -> Int? {
        guard let value, !value.isNull else { return nil }
        guard let number = value.int else { throw EngineError(.badRequest, "\(name) must be a whole number") }
        return Int(clamping: number)
    }

    private static func choice<Choice: RawRepresentable>(
        _ value: Value, _ name: String, _ known: [Choice]
    ) throws(EngineError) -> Choice where Choice.RawValue == String {
        if let text = value.string, let choice = Choice(rawValue: text) { return choice }
        let names = known.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        throw EngineError(.badRequest, "The \(name) of a vector index is one of \(names)")
    }

    /// Refuses what is out of bounds.
    func check() throws(EngineError) {
        guard (1...EngineLimits.maximumVectorDimensions).contains(dimensions) else {
            throw EngineError(
                .limit,
                "A vector of \(dimensions) dimensions was asked for; "
                    + "the limit is \(EngineLimits.maximumVectorDimensions)")
        }
        guard (2...128).contains(maxConnections) else { throw EngineError(.badRequest, "m must be from 2 to 128") }
        guard (maxConnections...4096).contains(efConstruction) else {
            throw EngineError(.badRequest, "ef_construction must be from m, which is \(maxConnections), to 4096")
        }
    }
}
