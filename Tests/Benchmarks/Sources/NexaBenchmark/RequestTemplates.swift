/// Encoded requests with gaps for an id and a number, so that making a request costs a copy and a few stores.
///
/// The client must cost the same for every system, and so little that the server is what is measured.
struct RequestTemplates: Sendable {
    /// How a number stands in a request.
    enum NumberForm: Sendable {
        /// Ten decimal digits.
        case decimal
        /// Four bytes, most significant first.
        case bigEndian
    }

    /// Which index the next request is for.
    enum Order: Sendable {
        /// 0, 1, 2 … and on.
        case sequential
        /// Evenly from 0 up to a bound.
        case random(below: Int)
    }

    /// Stands where an id comes; every id has this length.
    static let idPlaceholder = "m999999999"
    /// Stands where a number comes; every number has ten digits and fits 32 bits.
    static let numberPlaceholder = 1_999_999_999

    private struct Template {
        var range: Range<Int>
        var idOffset: Int?
        var numberOffset: Int?
    }

    let order: Order
    private let numberForm: NumberForm
    private var bytes: [UInt8] = []
    private var templates: [Template] = []

    init(order: Order, numberForm: NumberForm) {
        self.order = order
        self.numberForm = numberForm
    }

    /// Adds a request encoded with the placeholders.
    mutating func add(_ request: [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: request)
        let number: [UInt8] =
            switch numberForm {
            case .decimal: Array("\(Self.numberPlaceholder)".utf8)
            case .bigEndian: withUnsafeBytes(of: UInt32(Self.numberPlaceholder).bigEndian) { Array($0) }
            }
        templates.append(
            Template(
                range: start..<bytes.count, idOffset: Self.offset(of: Array(Self.idPlaceholder.utf8), in: request),
                numberOffset: Self.offset(of: number, in: request)))
    }

    /// Appends the request for `index` to `output`; with fewer templates than indices they repeat.
    func append(index: Int, number: Int, to output: inout [UInt8]) {
        let template = templates[index % templates.count]
        let start = output.count
        output.append(contentsOf: bytes[template.range])
        if let offset = template.idOffset {
            Self.writeDigits(index, count: 9, to: &output, at: start + offset + 1)
        }
        guard let offset = template.numberOffset else { return }
        switch numberForm {
        case .decimal: Self.writeDigits(number, count: 10, to: &output, at: start + offset)
        case .bigEndian:
            for byte in 0..<4 {
                output[start + offset + byte] = UInt8(truncatingIfNeeded: number >> (24 - 8 * byte))
            }
        }
    }

    /// One request, for checks.
    func request(index: Int, number: Int = numberPlaceholder) -> [UInt8] {
        var output: [UInt8] = []
        append(index: index, number: number, to: &output)
        return output
    }

    private static func writeDigits(_ number: Int, count: Int, to output: inout [UInt8], at offset: Int) {
        var rest = number
        for position in stride(from: offset + count - 1, through: offset, by: -1) {
            output[position] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
    }

    private static func offset(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= pattern.count, let first = pattern.first else { return nil }
        return (0...(bytes.count - pattern.count)).first { start in
            bytes[start] == first && bytes[start..<start + pattern.count].elementsEqual(pattern)
        }
    }
}

/// The requests of one measurement, in order.
struct RequestSequence: Sendable {
    let templates: RequestTemplates
    private var random: SplitMix64
    private var index: Int

    /// - Parameter first: the first index of a sequential order.
    init(_ templates: RequestTemplates, seed: UInt64, first: Int = 0) {
        self.templates = templates
        random = SplitMix64(seed: seed)
        index = first
    }

    /// The index behind the last one given out in sequential order.
    var nextIndex: Int { index }

    mutating func appendNext(to output: inout [UInt8]) {
        let chosen: Int
        switch templates.order {
        case .sequential:
            chosen = index
            index += 1
        case .random(let bound): chosen = random.next(below: bound)
        }
        templates.append(index: chosen, number: 1_000_000_000 + random.next(below: 900_000_000), to: &output)
    }
}
