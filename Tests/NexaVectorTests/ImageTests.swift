import NexaVector
import TestKit
import Testing

@Suite("Vector index images")
struct ImageTests {
    let folder: TemporaryDirectory
    init() throws { folder = try TemporaryDirectory(inMemory: true) }

    private func code(_ body: () throws -> Void) -> VectorError.Code? {
        do { try body() } catch let error as VectorError { return error.code } catch {}
        return nil
    }

    /// One of each: linked, waiting, removed and replaced.
    private func index(_ configuration: Configuration, count: Int) throws -> VectorIndex {
        var random = SplitMix64(seed: 11)
        let index = try VectorIndex(configuration)
        for number in 0..<count {
            try index.put(random.vector(configuration.dimensions), id: id(number))
        }
        index.linkAll()
        try index.put(random.vector(configuration.dimensions), id: id(1))
        index.remove(id(0))
        for number in 0..<5 { try index.put(random.vector(configuration.dimensions), id: id(10_000 + number)) }
        return index
    }

    @Test("An image holds everything", arguments: VectorIndex.Metric.allCases, VectorIndex.Quantization.allCases)
    func round(metric: VectorIndex.Metric, quantization: VectorIndex.Quantization) throws {
        let configuration = Configuration(dimensions: 9, metric: metric, quantization: quantization)
        let index = try index(configuration, count: 300)
        try index.save(to: folder["image"], tag: 1 << 63 + 5)
        let (loaded, tag) = try VectorIndex.load(from: folder["image"], expecting: configuration)
        #expect(tag == 1 << 63 + 5 && loaded.contents == index.contents)
        #expect(loaded.count == index.count && loaded.unlinkedCount == 6)
        var random = SplitMix64(seed: seed("Images"))
        for query in random.vectors(20, 9) {
            let before = index.search(query, k: 10).map(\.distance)
            #expect(loaded.search(query, k: 10).map(\.distance) == before)
        }
        loaded.linkAll()
        #expect(loaded.unlinkedCount == 0 && loaded.removedCount <= 300 / 64 + 1)
        #expect(loaded.recall(of: random.vectors(20, 9)) >= 0.95)
        // Nothing is left beside the image, and saving again replaces it.
        #expect(Files.names(in: folder.path) == ["image"])
        try loaded.save(to: folder["image"], tag: 7)
        #expect(try VectorIndex.load(from: folder["image"], expecting: configuration).tag == 7)
    }

    @Test("An empty index, and what cannot be read or written")
    func refusals() throws {
        let configuration = Configuration(dimensions: 3)
        try VectorIndex(configuration).save(to: folder["empty"], tag: 3)
        let empty = try VectorIndex.load(from: folder["empty"], expecting: configuration)
        #expect(empty.index.count == 0 && empty.tag == 3)
        try empty.index.put([1, 2, 3], id: [1])
        #expect(empty.index.search([1, 2, 3], k: 1).count == 1)
        for other in [
            Configuration(dimensions: 4), Configuration(dimensions: 3, metric: .l2),
            Configuration(dimensions: 3, quantization: .int8), Configuration(dimensions: 3, maxConnections: 8)
        ] {
            #expect(code { _ = try VectorIndex.load(from: folder["empty"], expecting: other) } == .otherConfiguration)
        }
        let slower = Configuration(dimensions: 3, efConstruction: 400)
        #expect(try VectorIndex.load(from: folder["empty"], expecting: slower).index.configuration == slower)
        #expect(code { _ = try VectorIndex.load(from: folder["none"], expecting: configuration) } == .inputOutput)
        #expect(code { try empty.index.save(to: folder["no/folder"], tag: 1) } == .inputOutput)
        try empty.index.put([1, 2, 4], id: [2])  // saving failed, and let go of everyone
    }

    @Test("A cut or flipped image is an error")
    func damage() throws {
        let configuration = Configuration(dimensions: 5)
        try index(configuration, count: 60).save(to: folder["image"], tag: 1)
        let bytes = Files.read(folder["image"])
        var random = SplitMix64(seed: seed("Damage"))
        let cuts = Array(0..<100) + (0..<60).map { _ in Int.random(in: 0..<bytes.count, using: &random) }
        for cut in cuts {
            try Files.write(Array(bytes[..<cut]), to: folder["cut"])
            #expect(code { _ = try VectorIndex.load(from: folder["cut"], expecting: configuration) } == .corrupted)
        }
        try Files.write(bytes + [0], to: folder["cut"])
        #expect(code { _ = try VectorIndex.load(from: folder["cut"], expecting: configuration) } == .corrupted)
        for _ in 0..<200 {
            var flipped = Array(bytes)
            flipped[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try Files.write(flipped, to: folder["cut"])
            #expect(code { _ = try VectorIndex.load(from: folder["cut"], expecting: configuration) } != nil)
        }
    }

    @Test("An image that somebody made up is an error, or an index that works")
    func hostility() throws {
        let configuration = Configuration(dimensions: 5, maxConnections: 4)
        try index(configuration, count: 80).save(to: folder["image"], tag: 1)
        let bytes = Array(Files.read(folder["image"]))
        let seed = seed("Hostility")
        var random = SplitMix64(seed: seed)
        var accepted = 0
        for _ in 0..<400 {
            var forged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 12..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: forged[place] = UInt8.random(in: 0...255, using: &random)
                case 1: forged[place] = 0xFF
                default: forged[place] &+= 1
                }
            }
            sign(&forged)
            try Files.write(forged, to: folder["forged"])
            guard let index = try? VectorIndex.load(from: folder["forged"], expecting: configuration).index else {
                continue
            }
            accepted += 1
            for query in random.vectors(3, 5) { _ = index.search(query, k: 10, ef: 20) }
            try index.put([1, 2, 3, 4, 5], id: [9])
            for number in 0..<20 { index.remove(id(number)) }
            index.linkAll()
            #expect(index.contents.count == index.count)
        }
        print("\(accepted) of 400 forged images were taken")
    }

    /// Gives an image of one block the checksums that it should have.
    private func sign(_ bytes: inout [UInt8]) {
        func put(_ number: UInt32, at place: Int) {
            for shift in 0..<4 { bytes[place + shift] = UInt8(truncatingIfNeeded: number >> UInt32(8 * shift)) }
        }
        for (shift, byte) in withUnsafeBytes(of: UInt64(bytes.count).littleEndian, Array.init).enumerated() {
            bytes[60 + shift] = byte
        }
        put(checksum(bytes[..<76]), at: 76)
        put(UInt32(bytes.count - 88), at: 80)
        put(checksum(bytes[88...]), at: 84)
    }

    private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
        }
        return ~crc
    }
}
